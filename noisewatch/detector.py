"""From noise probabilities to a steady verdict. Pure: it knows no audio and no clock but stream time."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UsageError
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

    def __post_init__(self) -> None:
        if not 0.05 <= self.threshold <= 0.99:
            raise UsageError(f"the threshold is {self.threshold}; allowed: 0.05 to 0.99. 0.5 suits most.")

    @property
    def off(self) -> float:
        """A reading below it speaks against noise; half the threshold where the step would leave little."""
        return max(self.threshold - self.off_step, self.threshold / 2)


class Detector:
    """Hysteresis, minimum times, cooldown; `unknown` at once when the input cannot be judged.

    A reading stands for the hop that it ends, so three readings 0.1 s apart are 0.3 s of noise.
    """

    def __init__(self, config: DetectorConfig | None = None, *, hop_s: float = 0.1) -> None:
        self.config = config or DetectorConfig()
        self.hop_s = hop_s
        self._noisy: bool | None = None  # None: not decided yet
        self._since: float | None = None  # when readings began to speak against the present verdict
        self._run = _Run()  # of the noise that is on, or may be beginning
        self._last_end = -float("inf")
        self._lost_since: float | None = None
        self._lost = False  # and it was called

    def update(self, time: float, noise: float | None, reason: Reason | None = None) -> tuple[State, list[Event]]:
        """Take the reading at `time` (s); noise None: it could not be judged, for the reason given."""
        if noise is None:
            return "unknown", self._unjudged(time, reason)
        events = []
        if self._lost_since is not None:
            if self._lost:
                events.append(Event("input_back", time, onset=time))
            self._lost_since, self._lost = None, False
        if self._noisy:
            events += self._while_noisy(time, noise)
        else:
            if noise < self.config.threshold:
                self._noisy = False
            events += self._while_clean(time, noise)
        # Undecided, there is no verdict to hold on to: the state follows the reading, the event waits.
        return ("clean" if self._noisy is False else "noisy"), events

    def lose(self, time: float, reason: Reason) -> tuple[State, list[Event]]:
        """The input is known to be gone: no need to wait for more readings that say so."""
        self._lost_since = time if self._lost_since is None else self._lost_since
        return "unknown", self._call_lost(time, reason)

    def finish(self, time: float) -> list[Event]:
        """The stream ends: noise that is still on ends with it."""
        return self._end_noise(time, time if self._since is None else self._since)

    def _while_clean(self, time: float, noise: float) -> list[Event]:
        if noise < self.config.threshold:
            self._since = None
            return []
        if self._since is None:
            self._since, self._run = time, _Run(time, noise)
        else:
            self._run.add(noise)
        lasted = time - self._since + self.hop_s
        if lasted < self.config.min_on_s - _EPS or time - self._last_end < self.config.cooldown_s - _EPS:
            return []
        self._noisy, self._since = True, None
        return [Event("noise_start", time, onset=self._run.onset)]

    def _while_noisy(self, time: float, noise: float) -> list[Event]:
        if noise >= self.config.off:
            self._since = None
            self._run.add(noise)
            return []
        if self._since is None:
            self._since = time
        self._run.add(noise, tail=True)
        if time - self._since + self.hop_s < self.config.min_off_s - _EPS:
            return []
        events = self._end_noise(time, self._since)
        self._noisy, self._since = False, None
        return events

    def _unjudged(self, time: float, reason: Reason | None) -> list[Event]:
        self._lost_since = time if self._lost_since is None else self._lost_since
        self._since = None  # what was not judged speaks for nothing
        if time - self._lost_since + self.hop_s < self.config.min_lost_s - _EPS:
            return []
        return self._call_lost(time, reason)

    def _call_lost(self, time: float, reason: Reason | None) -> list[Event]:
        if self._lost or self._lost_since is None:
            return []
        events = self._end_noise(time, self._lost_since)
        self._lost, self._noisy, self._since = True, None, None
        return [*events, Event("input_lost", time, onset=self._lost_since, reason=reason)]

    def _end_noise(self, time: float, end: float) -> list[Event]:
        if not self._noisy:
            return []
        self._noisy, self._last_end = False, time
        run = self._run
        return [
            Event(
                "noise_end",
                time,
                onset=run.onset,
                end=end,
                duration=end - run.onset,
                peak=run.peak,
                mean=run.mean,
            )
        ]


class _Run:
    """Statistics of one noise, without what turned out to be its aftermath."""

    def __init__(self, onset: float = 0.0, noise: float = 0.0) -> None:
        self.onset, self.peak = onset, noise
        self._sum, self._count = noise, 1
        self._tail: list[float] = []  # at most min_off_s of readings

    def add(self, noise: float, *, tail: bool = False) -> None:
        self._tail.append(noise)
        if not tail:
            self.peak = max(self.peak, noise)
            self._sum += sum(self._tail)
            self._count += len(self._tail)
            self._tail = []

    @property
    def mean(self) -> float:
        return self._sum / self._count
