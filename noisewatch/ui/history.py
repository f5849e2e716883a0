"""What the meter shows of the past, and the sentence that ends a session."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..core.detector import DetectorConfig
from ..core.events import Event, Reading, Word, word
from ..core.session import STALL_S
from ..core.summary import Summary

SPAN_S = 30.0


@dataclass
class History:
    """The last 30 s of readings, and the totals of all."""

    hop_s: float
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    totals: Summary = field(default_factory=Summary)
    recent: deque[Reading] = field(init=False)
    last: Reading | None = None
    since: float = 0.0  # s of stream time at which the present verdict began
    waited_s: float = 0.0  # since then for an input that stalled: stream time stands still

    def __post_init__(self) -> None:
        self.recent = deque(maxlen=max(1, round(SPAN_S / self.hop_s)))

    def add(self, item: Reading | Event) -> None:
        """Take what the stream gave."""
        self.totals.add(item)
        if isinstance(item, Event):
            return
        if self.last is None or self.word(item) != self.word(self.last):
            self.since, self.waited_s = item.time, 0.0
        if item.reason == "stalled":  # one such reading a second
            self.waited_s += 1.0 if self.last and self.last.reason == "stalled" else STALL_S
        self.last = item
        self.recent.append(item)

    def word(self, reading: Reading) -> Word:
        """The verdict on a reading as it is shown."""
        return word(reading, self.detector.off)

    def summary(self, time: float, heard_s: float, drops: int, skipped: int) -> str:
        """Plain lines: minutes heard, shares of stream time (s), events, drops."""
        totals = self.totals
        if not totals.readings:
            return f"heard {duration(heard_s)}: too little for a reading (the first comes after 3 s)"
        noisy, unjudged = totals.noisy(time), totals.unjudged(time)
        parts = [f"heard {duration(heard_s)}"]
        parts.append("none of it could be judged" if noisy is None else f"{noisy:.0%} of it noisy")
        if noisy is not None and unjudged:
            parts.append(f"{unjudged:.0%} could not be judged")
        parts.append(f"{totals.noises} noise{'' if totals.noises == 1 else 's'}")
        parts.append(f"{drops} drop{'' if drops == 1 else 's'}")
        if skipped:
            parts.append(f"{skipped} decisions skipped to keep up")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """12 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
