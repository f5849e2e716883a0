"""From noise probabilities to a steady verdict. Pure: it knows no audio and no clock but stream time."""

from __future__ import annotations

import math
from collections import deque
from copy import copy
from dataclasses import dataclass
from typing import Any

from ..audio.signal import WINDOW_S
from ..errors import UsageError, numeric
from .events import Event, Reason, State

_EPS = 1e-6  # s: times are sums of hops


@dataclass(frozen=True)
class DetectorConfig:
    """Thresholds and times of the verdict."""

    threshold: float = 0.5  # a reading at or above it speaks for noise
    off_step: float = 0.2  # a reading further below the threshold than this speaks against it
    min_on_s: float = 0.3  # noise lasts this long before it is called
    min_off_s: float = 1.0  # and is gone this long before it is called over
    cooldown_s: float = 1.0  # after noise was called over, none begins for this long
    min_lost_s: float = 1.0  # an input is gone this long before it is called lost
    # A window of 3 s is noisy from a little after the noise began until most of it has left the window. Medians
    # over 68 noises on the validation streams, half a hop apart from these (0.26 and 2.78 s at hop 0.1).
    lead_s: float = 0.2
    trail_s: float = 2.7

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not numeric(name, value) >= 0:
                raise UsageError(f"{name} is {value}; allowed: 0 or more.")
        if not 0.05 <= self.threshold <= 0.99:
            raise UsageError(f"the threshold is {self.threshold}; allowed: 0.05 to 0.99.")

    @property
    def off(self) -> float:
        """A reading below it speaks against noise; half the threshold where the step would leave little."""
        return max(self.threshold - self.off_step, self.threshold / 2)

    def lag_s(self, hop_s: float) -> float:
        """The longest that may pass from the end of a noise until it is called over."""
        return self.trail_s + hop_s / 2 + max(self.min_off_s, self.min_lost_s, hop_s)


class Detector:
    """Hysteresis, minimum times, cooldown; `unknown` at once when the input cannot be judged.

    A reading stands for the hop that it ends, so three readings 0.1 s apart are 0.3 s of noise. Onset and end
    of an event are of the noise, which is not as long as it is noticed: a reading looks back over a window.
    """

    def __init__(self, config: DetectorConfig | None = None, *, hop_s: float = 0.1) -> None:
        self.config = config or DetectorConfig()
        self.hop_s = hop_s
        self._noisy: bool | None = None  # None: not decided yet
        self._first: float | None = None  # the first reading since the input began or came back
        self._unjudged_until = 0.0
        self._count = 0  # noises so far
        self._since: float | None = None  # when readings began to speak against the present verdict
        self._run = _Run()  # of the noise that is on, or may be beginning
        self._last_end = -float("inf")
        self._lost_since: float | None = None
        self._lost = False  # and it was called

    def update(
        self,
        time: float,
        noise: float | None,
        reason: Reason | None = None,
        *,
        snr_db: float | None = None,
        level_dbfs: float | None = None,
    ) -> tuple[State, list[Event]]:
        """Take the reading at `time` (s); noise None: it could not be judged, for the reason given."""
        if noise is None:
            self._unjudged_until = time
            return "unknown", self._unjudged(time, reason)
        self._first = time if self._first is None else self._first
        heard = _Heard(time, noise, snr_db, level_dbfs)
        events = []
        if self._lost_since is not None:
            if self._lost:
                events.append(Event("input_back", time, onset=time))
            self._lost_since, self._lost, self._since = None, False, None
        if self._noisy:
            events += self._while_noisy(time, heard)
        else:
            if noise < self.config.threshold:
                self._noisy = False
            events += self._while_clean(time, heard)
        # Undecided, there is no verdict to hold on to: the state follows the reading, the event waits.
        return ("clean" if self._noisy is False else "noisy"), events

    def lose(self, time: float, reason: Reason) -> tuple[State, list[Event]]:
        """The input is known to be gone: no need to wait for more readings that say so."""
        self._unjudged_until = time
        self._lost_since = time if self._lost_since is None else self._lost_since
        return "unknown", self._call_lost(time, reason)

    @property
    def lost(self) -> bool:
        """Whether the input was called lost and is not back."""
        return self._lost

    def finish(self, time: float) -> list[Event]:
        """The stream ends: noise that is still on ends with it, or where judging stopped."""
        called = self._call_undecided(time)
        end = time if self._lost_since is None else self._lost_since
        return called + self._end_noise(time, end if self._since is None else self._ended(self._since))

    def _began(self, time: float) -> float:
        """When a noise began that the reading at `time` was the first to show."""
        if time == self._first:
            return max(self._unjudged_until, time - WINDOW_S)  # as far back as that reading heard
        return time - self.config.lead_s - self.hop_s / 2

    def _ended(self, time: float) -> float:
        """When a noise ended that the reading at `time` was the first not to show: it sounds for a moment."""
        return max(time - self.config.trail_s - self.hop_s / 2, self._run.onset + self.config.min_on_s)

    def _while_clean(self, time: float, heard: _Heard) -> list[Event]:
        if heard.noise < self.config.threshold:
            self._since = None
            return []
        if self._since is None:
            self._since, self._run = time, _Run(self._began(time), heard)
        else:
            self._run.add(heard)
        lasted = time - self._since + self.hop_s
        if lasted < self.config.min_on_s - _EPS or time - self._last_end < self.config.cooldown_s - _EPS:
            return []
        return self._start_noise(time)

    def _while_noisy(self, time: float, heard: _Heard) -> list[Event]:
        if heard.noise >= self.config.off:
            self._since = None
            self._run.add(heard)
            return []
        if self._since is None:
            self._since = time
        self._run.add(heard, tail=True)
        if time - self._since + self.hop_s < self.config.min_off_s - _EPS:
            return []
        events = self._end_noise(time, self._ended(self._since))
        self._noisy, self._since = False, None
        return events

    def _start_noise(self, time: float) -> list[Event]:
        self._noisy, self._since = True, None
        self._count += 1
        return [Event("noise_start", time, onset=self._run.onset, id=self._count, **self._run.figures())]

    def _call_undecided(self, time: float) -> list[Event]:
        """Readings of noise that began the stream, too few to be called yet, when nothing more can come.

        There is no clean reading to weigh against them, and each stands for a whole window.
        """
        if self._noisy is not None or self._since is None:
            return []
        return self._start_noise(time)

    def _unjudged(self, time: float, reason: Reason | None) -> list[Event]:
        self._lost_since = time if self._lost_since is None else self._lost_since
        if self._noisy is not None:
            self._since = None  # what was not judged speaks for nothing
        if time - self._lost_since + self.hop_s < self.config.min_lost_s - _EPS:
            return []
        return self._call_lost(time, reason)

    def _call_lost(self, time: float, reason: Reason | None) -> list[Event]:
        if self._lost or self._lost_since is None:
            return []
        events = self._call_undecided(time) + self._end_noise(time, self._lost_since)
        self._lost, self._noisy, self._since, self._first = True, None, None, None
        return [*events, Event("input_lost", time, onset=self._lost_since, reason=reason)]

    def _end_noise(self, time: float, end: float) -> list[Event]:
        if not self._noisy:
            return []
        self._noisy, self._last_end = False, time
        onset = self._run.onset
        figures = self._run.figures(until=end + self.hop_s)
        return [Event("noise_end", time, onset=onset, end=end, duration=end - onset, id=self._count, **figures)]


@dataclass(frozen=True)
class _Heard:
    """What a reading says."""

    time: float
    noise: float
    snr_db: float | None = None
    level_dbfs: float | None = None


class _Run:
    """Statistics of one noise, without what turned out to be its aftermath."""

    def __init__(self, onset: float = 0.0, first: _Heard | None = None) -> None:
        self.onset, self._peak = onset, 0.0
        self._noise, self._snr, self._power = _Mean(), _Mean(), _Mean()
        self._levels: deque[_Heard] = deque()  # of the last window: some may be of after the noise
        self._tail: list[_Heard] = []  # at most min_off_s of readings
        if first is not None:
            self.add(first)

    def add(self, heard: _Heard, *, tail: bool = False) -> None:
        self._levels.append(heard)
        while self._levels[0].time < heard.time - WINDOW_S - 1:
            old = self._levels.popleft()
            if old.level_dbfs is not None:
                self._power.add(10 ** (old.level_dbfs / 10))
        self._tail.append(heard)
        if tail:
            return
        for each in self._tail:
            self._peak = max(self._peak, each.noise)
            self._noise.add(each.noise)
            if each.snr_db is not None:
                self._snr.add(each.snr_db)
        self._tail = []

    def figures(self, until: float = math.inf) -> dict[str, Any]:
        """Fields of an event: peak and mean probability, mean SNR where someone spoke, level until its end."""
        power = copy(self._power)
        for number, heard in enumerate(self._levels):
            if heard.level_dbfs is not None and (
                heard.time <= until + _EPS or (number == 0 and power.value is None)
            ):
                power.add(10 ** (heard.level_dbfs / 10))
        level = 10 * math.log10(power.value) if power.value else None
        return {"peak": self._peak, "mean": self._noise.value, "snr_db": self._snr.value, "level_dbfs": level}


class _Mean:
    """A running mean."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._sum += value
        self._count += 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None
