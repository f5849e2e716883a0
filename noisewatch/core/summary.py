"""Totals of a stream, with the one formula for shares of time that live inputs and recordings use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..audio.signal import WINDOW_S
from .events import NO_AUDIO, Event, Reading, Reason


@dataclass
class Summary:
    """Running totals, in constant memory.

    Noisy time is the sum of the noises that ended, not of noisy readings: a reading looks back over 3 s, so they
    would overstate it. A reading covers the time since the previous one. After a stall or a gap it covers only its
    window, because stream time jumps over audio that never arrived.

    readings  readings so far
    unknown   readings among them that could not be judged
    reasons   how often each reason was given
    noises    noises that began
    noisy_s   total duration of the noises that ended, s
    """

    readings: int = 0
    unknown: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    noises: int = 0
    noisy_s: float = 0.0
    _unjudged_s: float = 0.0
    _time: float = 0.0  # s: of the last reading
    _judging: bool = False  # the last reading with audio was judged
    _waiting: bool = False  # no audio since a stall or a gap

    def add(self, item: Reading | Event) -> None:
        """Take the next item of the stream."""
        if isinstance(item, Event):
            self.noises += item.event == "noise_start"
            self.noisy_s += item.duration or 0.0
            if item.event == "input_back":  # after a pause it precedes the reading, and no audio is missing
                self._waiting = False
            return
        self.readings += 1
        self.unknown += item.state == "unknown"
        if item.reason is not None:
            self.reasons[item.reason] += 1
        if item.reason in NO_AUDIO:
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
        """The most frequent reason why readings could not be judged; None if all could."""
        return self.reasons.most_common(1)[0][0] if self.reasons else None

    def unjudged(self, time: float) -> float | None:
        """Share of a stream of length `time` (s) that could not be judged, 0..1; None before the first reading."""
        if self.unknown == self.readings:
            return 1.0 if self.readings else None
        return min(1.0, (self._unjudged_s + self._rest_s(time)) / time)

    def judged_s(self, time: float) -> float:
        """How much of a stream of length `time` (s) could be judged, s."""
        share = self.unjudged(time)
        return 0.0 if share is None else time * (1 - share)

    def noisy(self, time: float) -> float | None:
        """Noisy share of the judged time of a stream of length `time` (s), 0..1; None if none was judged."""
        judged = self.judged_s(time)
        return min(1.0, self.noisy_s / judged) if judged else None

    def _rest_s(self, time: float) -> float:
        """Time since the last reading if it was not judged, else 0, s: a stream may end between two readings."""
        return 0.0 if self._judging and not self._waiting else time - self._time
