"""The recent readings that the meter shows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..core.detector import DetectorConfig
from ..core.events import WAITING, Event, Reading
from ..core.session import STALL_S
from ..core.summary import Summary
from .wording import Verdict, verdict

SPAN_S = 30.0


@dataclass
class History:
    """The readings of the last 30 s, and the totals of the session."""

    hop_s: float
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    totals: Summary = field(default_factory=Summary)
    recent: deque[Reading] = field(init=False)
    last: Reading | None = None
    since: float = 0.0  # stream time at which the current verdict began, less what was waited since, s
    stopped_at: datetime | None = None  # when the input last stopped, in local time

    def __post_init__(self) -> None:
        self.recent = deque(maxlen=max(1, round(SPAN_S / self.hop_s)))

    def add(self, item: Reading | Event) -> None:
        """Take the next item of the stream."""
        self.totals.add(item)
        if isinstance(item, Event):
            return
        if self.last is None or self.verdict(item) != self.verdict(self.last):
            self.since = item.time
        if item.reason in WAITING:  # one reading each second; the first that is stalled comes after STALL_S
            waiting = self.last is not None and self.last.reason in WAITING
            waited_s = 1.0 if waiting else STALL_S if item.reason == "stalled" else 0.0
            self.since -= waited_s  # stream time stands still meanwhile
            if not waiting:
                self.stopped_at = datetime.now() - timedelta(seconds=waited_s)
        self.last = item
        self.recent.append(item)

    def verdict(self, reading: Reading) -> Verdict:
        """The state of a reading as it is shown."""
        return verdict(reading, self.detector.off)
