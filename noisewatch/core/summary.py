"""What the readings and events of a session add up to: one formula for shares, live, in `check` and in `scan`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..audio.signal import WINDOW_S
from .events import Event, Reading, Reason


@dataclass
class Summary:
    """Running totals. Noise is counted by its events: a reading looks back over 3 s, and would overstate it.

    Shares are of stream time. A reading stands for the time since the one before, except for audio that never
    arrived: stream time jumps over it, and the next reading has heard a window only.
    """

    readings: int = 0
    unknown: int = 0  # readings that could not be judged
    reasons: Counter[Reason] = field(default_factory=Counter)  # why not
    noises: int = 0  # that began
    noisy_s: float = 0.0  # of the noises that ended
    _unjudged_s: float = 0.0
    _time: float = 0.0  # of the last reading
    _judging: bool = False  # the input was judged when it last sent something
    _waiting: bool = False  # it stalled, or audio was lost, and no reading came since

    def add(self, item: Reading | Event) -> None:
        """Take the next item of the stream."""
        if isinstance(item, Event):
            self.noises += item.event == "noise_start"
            self.noisy_s += item.duration or 0.0
            if item.event == "input_back":  # of a pipe that paused: no reading came yet, and nothing is missing
                self._waiting = False
            return
        self.readings += 1
        self.unknown += item.state == "unknown"
        if item.reason is not None:
            self.reasons[item.reason] += 1
        if item.reason in ("stalled", "gap"):
            self._unjudged_s += self._rest_s(item.time)
            self._waiting = True
        else:
            self._judging = item.noise is not None
            since = item.time - self._time
            heard = min(since, WINDOW_S) if self._waiting else since
            self._unjudged_s += since - heard if self._judging else since
            self._waiting = False
        self._time = item.time

    @property
    def reason(self) -> Reason | None:
        """The most frequent reason why readings could not be judged."""
        return self.reasons.most_common(1)[0][0] if self.reasons else None

    def unjudged(self, time: float) -> float | None:
        """Share of a stream of this length (s) that could not be judged, 0..1; None before any reading."""
        if self.unknown == self.readings:
            return 1.0 if self.readings else None
        return min(1.0, (self._unjudged_s + self._rest_s(time)) / time)

    def judged_s(self, time: float) -> float:
        """How much of a stream of this length (s) could be judged, s."""
        share = self.unjudged(time)
        return 0.0 if share is None else time * (1 - share)

    def noisy(self, time: float) -> float | None:
        """Share of the judged time of a stream of this length (s) that is noisy, 0..1; None where there is none."""
        judged = self.judged_s(time)
        return min(1.0, self.noisy_s / judged) if judged else None

    def _rest_s(self, time: float) -> float:
        """What could not be judged since the last reading, s: a stream has no reading at its very end."""
        return 0.0 if self._judging and not self._waiting else time - self._time
