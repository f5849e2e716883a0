"""What the readings and events of a session add up to: one formula for shares, live, in `check` and in `scan`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .events import Event, Reading, Reason


@dataclass
class Summary:
    """Running totals. Noise is counted by its events: a reading looks back over 3 s, and would overstate it.

    Readings of an input that stalled or lost audio stand for no time of the stream.
    """

    readings: int = 0
    unknown: int = 0  # readings that could not be judged
    reasons: Counter[Reason] = field(default_factory=Counter)  # why not
    noises: int = 0  # that began
    noisy_s: float = 0.0  # of the noises that ended

    def add(self, item: Reading | Event) -> None:
        """Take the next item of the stream."""
        if isinstance(item, Event):
            self.noises += item.event == "noise_start"
            self.noisy_s += item.duration or 0.0
            return
        self.readings += 1
        self.unknown += item.state == "unknown"
        if item.reason is not None:
            self.reasons[item.reason] += 1

    @property
    def reason(self) -> Reason | None:
        """The most frequent reason why readings could not be judged."""
        return self.reasons.most_common(1)[0][0] if self.reasons else None

    @property
    def unjudged(self) -> float | None:
        """Share of the readings that could not be judged, 0..1; None before any reading."""
        if self._timed:
            return (self.unknown - self._waits) / self._timed
        return 1.0 if self.readings else None

    def judged_s(self, heard_s: float) -> float:
        """How much of a stream could be judged of which this much was heard, s."""
        return heard_s * (1 - (self.unjudged or 0.0)) if self._timed else 0.0

    def noisy(self, heard_s: float) -> float | None:
        """Share of the judged time that is noisy, 0..1; None where nothing was judged."""
        judged = self.judged_s(heard_s)
        return min(1.0, self.noisy_s / judged) if judged else None

    @property
    def _waits(self) -> int:
        return self.reasons["stalled"] + self.reasons["gap"]

    @property
    def _timed(self) -> int:
        return self.readings - self._waits
