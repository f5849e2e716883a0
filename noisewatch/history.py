"""What a session has heard so far: for the meter while it runs, for the summary when it ends."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .events import Event, Reading

SPAN_S = 30.0


@dataclass
class History:
    """The last 30 s of readings and the sums of all."""

    hop_s: float
    recent: deque[Reading] = field(init=False)
    last: Reading | None = None
    since: float = 0.0  # s of stream time at which the present state began
    waited_s: float = 0.0  # since then for an input that stalled: stream time stands still
    events: int = 0  # noises that began
    readings: int = 0
    noisy_s: float = 0.0  # of the noises that ended
    unknown: int = 0

    def __post_init__(self) -> None:
        self.recent = deque(maxlen=max(1, round(SPAN_S / self.hop_s)))

    def add(self, item: Reading | Event) -> None:
        """Take what the stream gave."""
        if isinstance(item, Event):
            self.events += item.event == "noise_start"
            self.noisy_s += item.duration or 0.0
            return
        if self.last is None or item.state != self.last.state:
            self.since, self.waited_s = item.time, 0.0
        if item.reason == "stalled":
            self.waited_s += 1.0  # one such reading a second
        self.last = item
        self.recent.append(item)
        self.readings += 1
        self.unknown += item.state == "unknown"

    def summary(self, heard_s: float, drops: int, skipped: int) -> str:
        """Plain lines: minutes heard, share noisy, events, drops."""
        if not self.readings:
            return f"heard {duration(heard_s)}: too little for a reading (the first comes after 3 s)"
        judged = self.readings - self.unknown
        share = "none of it could be judged"
        if judged:
            share = f"{min(1.0, self.noisy_s / (heard_s * judged / self.readings)):.0%} of it noisy"
        parts = [f"heard {duration(heard_s)}", share]
        if judged and self.unknown:
            parts.append(f"{self.unknown / self.readings:.0%} could not be judged")
        parts.append(f"{self.events} noise{'' if self.events == 1 else 's'}")
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
