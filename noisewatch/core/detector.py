"""From noise probabilities to a stable verdict: a state machine that sees neither audio nor a clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum

from ..audio.signal import WINDOW_S
from ..errors import UsageError, numeric
from .episode import EPS_S, Episode, Evidence
from .events import NOW_S, Event, Kind, Reason, State, evidence

# Medians over 68 noises in the validation streams, at a hop of 0.1 s: 0.26 and 2.78 s, less half a hop.
LEAD_S, TRAIL_S = 0.2, 2.7  # of windowed models
# If readings look back over the moment rather than over a window:
BUSY_S = 3.0  # a noise that has just returned twice within this time is held for as long
HIDDEN_S = 0.2  # of a pause in a noise: the readings show a pause of 1 s for 0.7 to 0.8 s


@dataclass(frozen=True)
class DetectorConfig:
    """Thresholds and times of the verdict. All times are in seconds of stream time, 0 or more.

    threshold   Noise probability, 0.05 to 0.99. A reading at or above it counts as noise. Raise it for fewer
                false alarms, lower it to miss fewer faint noises. Every model's card holds a suitable value, which
                `NoiseDetector.stream()` uses unless a config is given.
    off_step    Hysteresis, in probability. While noise is on, only readings below `threshold - off_step` (never
                less than half the threshold) count as clean. Raise it if one noise is reported as several.
    min_on_s    Readings must show noise for this long before it is reported. Raise it to ignore clicks and coughs;
                this delays `noise_start` by the same amount.
    min_off_s   Readings must be clean for this long before a noise is reported as over. Raise it to bridge pauses
                between barks or keystrokes; this delays `noise_end` by the same amount. With a streaming model,
                0.2 s less, as it shows pauses shorter; 3 s for a noise that has just returned twice.
    cooldown_s  After `noise_end`, no new noise is reported for this long.
    min_lost_s  An input must be unjudgeable (muted, dead) for this long before `input_lost`. The state is
                `unknown` from the first such reading on.
    lead_s      Time from the onset of a noise to the first reading that shows it.
    trail_s     Time from the end of a noise to the first reading that no longer shows it. Both only place `onset`
                and `end` of events in time. None: as measured on the model, which its card holds.

    Raises UsageError, which is a ValueError, for a value out of range.

    >>> patient = DetectorConfig(threshold=0.7, min_on_s=1.0, min_off_s=3.0)
    >>> stream = NoiseDetector().stream(config=patient)
    """

    threshold: float = 0.5
    off_step: float = 0.2
    min_on_s: float = 0.3
    min_off_s: float = 1.0
    cooldown_s: float = 1.0
    min_lost_s: float = 1.0
    lead_s: float | None = None
    trail_s: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            measured = value is None and name in ("lead_s", "trail_s")
            if not measured and not numeric(name, value) >= 0:
                raise UsageError(f"{name} is {value}; allowed: 0 or more.")
        if not 0.05 <= self.threshold <= 0.99:
            raise UsageError(f"the threshold is {self.threshold}; allowed: 0.05 to 0.99.")

    @property
    def off(self) -> float:
        """The off threshold: while noise is on, a reading below it counts as clean."""
        return max(self.threshold - self.off_step, self.threshold / 2)

    def timed(self, lead_s: float, trail_s: float) -> DetectorConfig:
        """The same with these times where it has none."""
        return replace(
            self,
            lead_s=lead_s if self.lead_s is None else self.lead_s,
            trail_s=trail_s if self.trail_s is None else self.trail_s,
        )


class Phase(Enum):
    """The phases of the detector, and the transitions between them.

    On a judged reading (`on`: at or above the threshold; `off`: below the off threshold). One reading may cause two
    transitions if the hop is as long as min_on_s or min_off_s:

        phase        goes to     when
        UNDECIDED    PRESUMED    the reading is on
                     CLEAN       otherwise
        PRESUMED     NOISY       on for min_on_s, and the cooldown is over: noise_start
                     CLEAN       a reading is not on
        CLEAN        STARTING    a reading is on
        STARTING     NOISY       as PRESUMED: noise_start
                     CLEAN       a reading is not on
        NOISY        ENDING      a reading is off
        ENDING       CLEAN       off for min_off_s: noise_end
                     NOISY       a reading is not off

    A reading that could not be judged is `unknown` in any phase. It interrupts STARTING, which falls back to CLEAN,
    and ENDING, which falls back to NOISY. PRESUMED waits, and starts over from UNDECIDED with the next judged
    reading. After min_lost_s of such readings, or at once if the input is known to be gone:

        any phase    LOST        input_lost, after noise_end if noise was on, and both noise events if PRESUMED
        LOST         UNDECIDED   a reading is judged: input_back
    """

    UNDECIDED = "undecided"  # nothing judged since the stream began or the input came back
    PRESUMED = "presumed"  # noise since the first reading: shown at once, as no earlier verdict contradicts it
    CLEAN = "clean"
    STARTING = "starting"  # readings show noise, but not yet for min_on_s
    NOISY = "noisy"
    ENDING = "ending"  # readings show no noise, but not yet for min_off_s
    LOST = "lost"  # the input was reported as lost

    @property
    def state(self) -> State:
        """The state of a reading that was judged and led to this phase."""
        if self in (Phase.CLEAN, Phase.STARTING):
            return "clean"
        return "noisy" if self in (Phase.PRESUMED, Phase.NOISY, Phase.ENDING) else "unknown"


class Detector:
    """Hysteresis, minimum times and a cooldown over a sequence of readings; see `Phase` for the transitions.

    A reading covers the hop that ends with it, so three readings 0.1 s apart are 0.3 s of noise. `onset` and `end`
    of an event are estimates of when the noise itself began and ended. They lie before the readings that show them,
    because a reading looks back over a window.

    >>> detector = Detector(DetectorConfig(threshold=0.6), hop_s=0.1)
    >>> state, events = detector.update(3.0, 0.92)
    """

    def __init__(self, config: DetectorConfig | None = None, *, hop_s: float = 0.1) -> None:
        """A detector for readings that are `hop_s` seconds apart."""
        self.config = (config or DetectorConfig()).timed(LEAD_S, TRAIL_S)
        self.hop_s = hop_s
        self._lead_s, self._trail_s = self.config.lead_s or 0.0, self.config.trail_s or 0.0
        self._reach_s = WINDOW_S  # how far the readings look back
        self.phase = Phase.UNDECIDED
        self._since = 0.0  # s: the reading that led to PRESUMED, STARTING or ENDING
        self._gap: float | None = None  # s: the first of the latest unjudged readings; None if the last was judged
        self._unjudged_until = 0.0  # s
        self._first: float | None = None  # s: the first reading since the stream began or the input came back
        self._episode = Episode()  # the noise that is on, or may be starting
        self._count = 0  # noises so far
        self._last_end = -float("inf")  # s: when the last noise was reported as over
        self._returns: deque[float] = deque(maxlen=2)  # s: when the noise last returned from ENDING

    def update(
        self,
        time: float,
        noise: float | None,
        reason: Reason | None = None,
        *,
        now: float | None = None,
        snr_db: float | None = None,
        level_dbfs: float | None = None,
        kind: Kind | None = None,
    ) -> tuple[State, list[Event]]:
        """Take the reading at `time` (s of stream time); return its state and the events that it caused.

        noise: probability, 0..1; None if the window could not be judged, for the `reason` given. now: the same of
        the last 0.5 s. If the model tells it, noise is what both show: the window is the better witness, and the
        moment knows when it is over. snr_db, level_dbfs and kind are used only for the figures
        of events. Times must not decrease.
        """
        if noise is None:
            return "unknown", self._unjudged(time, reason)
        events = self._resumed(time)
        self._reach_s = WINDOW_S if now is None else NOW_S
        probability = evidence(noise, now)
        assert probability is not None
        reading = Evidence(time, probability, snr_db, level_dbfs, kind)
        if self.phase in (Phase.NOISY, Phase.ENDING):
            events += self._while_noisy(reading)
        else:
            events += self._while_clean(reading)
        return self.phase.state, events

    def lose(self, time: float, reason: Reason) -> tuple[State, list[Event]]:
        """Report `input_lost` at once, without waiting for min_lost_s: the input is known to be gone."""
        self._interrupt(time)
        return "unknown", self._report_loss(time, reason)

    def finish(self, time: float) -> list[Event]:
        """End the stream. A noise that is still on ends now, or where judging stopped."""
        events = self._report_presumed(time)
        if self.phase is Phase.ENDING:
            return self._end_noise(time, self._estimated_end())
        return events + self._end_noise(time, time if self._gap is None else self._gap)

    @property
    def lost(self) -> bool:
        """Whether the input was reported as lost and is not back."""
        return self.phase is Phase.LOST

    def _while_clean(self, reading: Evidence) -> list[Event]:
        time = reading.time
        if reading.noise < self.config.threshold:
            self.phase = Phase.CLEAN
            return []
        if self.phase in (Phase.PRESUMED, Phase.STARTING):
            self._episode.add(reading)
        else:
            self.phase = Phase.PRESUMED if self.phase is Phase.UNDECIDED else Phase.STARTING
            self._since, self._episode = time, Episode(self._estimated_onset(time), reading)
        cooling = time - self._last_end < self.config.cooldown_s - EPS_S
        return [] if cooling or not self._lasted(time, self.config.min_on_s) else self._start_noise(time)

    def _while_noisy(self, reading: Evidence) -> list[Event]:
        if reading.noise >= self.config.off:
            if self.phase is Phase.ENDING:
                self._returns.append(reading.time)
            self.phase = Phase.NOISY
            self._episode.add(reading)
            return []
        if self.phase is Phase.NOISY:
            self.phase, self._since = Phase.ENDING, reading.time
        self._episode.add(reading, tail=True)
        if not self._lasted(reading.time, self._hold_s):
            return []
        return self._end_noise(reading.time, self._estimated_end())

    def _lasted(self, time: float, least_s: float) -> bool:
        """Whether the current phase has lasted long enough, including the reading at `time`."""
        return time - self._since + self.hop_s >= least_s - EPS_S

    @property
    def _hold_s(self) -> float:
        """How long readings must be clean before the noise is over: longer for one that keeps returning."""
        least_s = self.config.min_off_s
        if self._reach_s == WINDOW_S:
            return least_s
        busy = False
        if len(self._returns) == 2:
            first, second = self._returns
            busy = second - first <= BUSY_S and self._since - second <= BUSY_S
        return max(BUSY_S, least_s) if busy else max(0.0, least_s - HIDDEN_S)

    def _interrupt(self, time: float) -> None:
        """The reading at `time` was not judged, so it supports no verdict."""
        self._unjudged_until = time
        self._gap = time if self._gap is None else self._gap
        if self.phase is Phase.STARTING:
            self.phase = Phase.CLEAN
        elif self.phase is Phase.ENDING:
            self.phase = Phase.NOISY

    def _unjudged(self, time: float, reason: Reason | None) -> list[Event]:
        self._interrupt(time)
        assert self._gap is not None
        if time - self._gap + self.hop_s < self.config.min_lost_s - EPS_S:
            return []
        return self._report_loss(time, reason)

    def _resumed(self, time: float) -> list[Event]:
        """The reading at `time` was judged: a gap before it, or the loss of the input, ends here."""
        self._first = time if self._first is None else self._first
        self._gap, gap = None, self._gap
        if gap is None:
            return []
        was_lost = self.lost
        if self.phase in (Phase.PRESUMED, Phase.LOST):
            self.phase = Phase.UNDECIDED
        return [Event("input_back", time, onset=time)] if was_lost else []

    def _report_loss(self, time: float, reason: Reason | None) -> list[Event]:
        if self.lost:
            return []
        assert self._gap is not None
        events = self._report_presumed(time) + self._end_noise(time, self._gap)
        self.phase, self._first = Phase.LOST, None
        return [*events, Event("input_lost", time, onset=self._gap, reason=reason)]

    def _report_presumed(self, time: float) -> list[Event]:
        """Report a presumed noise, however short, because no more readings will follow.

        No clean reading contradicts it, and each of its readings covers a whole window.
        """
        return self._start_noise(time) if self.phase is Phase.PRESUMED else []

    def _start_noise(self, time: float) -> list[Event]:
        self.phase = Phase.NOISY
        self._returns.clear()
        self._count += 1
        onset, figures = self._episode.onset, self._episode.figures()
        return [Event("noise_start", time, onset=onset, id=self._count, **figures)]

    def _end_noise(self, time: float, end: float) -> list[Event]:
        if self.phase not in (Phase.NOISY, Phase.ENDING):
            return []
        self.phase, self._last_end = Phase.CLEAN, time
        onset, figures = self._episode.onset, self._episode.figures(until=end + self.hop_s)
        return [Event("noise_end", time, onset=onset, end=end, duration=end - onset, id=self._count, **figures)]

    def _estimated_onset(self, time: float) -> float:
        """Estimated onset of a noise that the reading at `time` was the first to show, s."""
        if time == self._first:
            return max(self._unjudged_until, time - self._reach_s)  # as far back as that reading reaches
        return time - self._lead_s - self.hop_s / 2

    def _estimated_end(self) -> float:
        """Estimated end of a noise not shown since ENDING began, s; at least min_on_s after its onset."""
        earliest = self._episode.onset + self.config.min_on_s
        return max(self._since - self._trail_s - self.hop_s / 2, earliest)
