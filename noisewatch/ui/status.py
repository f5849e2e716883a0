"""What the meter says of one input: the verdict, since when, and what to make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rich.segment import Segment

from ..core.events import NO_AUDIO, WAITING
from ..core.stream import Stream
from ..errors import printable
from ..inputs.source import Source
from .history import History
from .style import BOLD, COLOURS, DIM, Line
from .wording import WARMING_UP, advice, duration, over, waiting_for


@dataclass
class Status:
    """Reads the state of an input each time it is asked."""

    history: History
    stream: Stream | None = None  # None until the model is loaded
    source: Source | None = None
    ended: Callable[[], str | None] = lambda: None  # why the input has ended, while others go on

    @property
    def warming_up(self) -> bool:
        """Whether there is no reading yet, or none since an interrupted input resumed."""
        reading = self.history.last
        if reading is None:
            return True
        resumed = self.stream is not None and self.stream.time > reading.time
        return reading.reason in NO_AUDIO and resumed

    def verdict(self) -> Line:
        """The verdict in capitals, and how long it has held."""
        reading = self.history.last
        if reading is None or self.warming_up:
            missing = self.stream.warming_up_s if self.stream else 3.0
            return [Segment("WARMING UP", BOLD), Segment(f"  first reading in {missing:.1f} s", DIM)]
        verdict = self.history.verdict(reading)
        seconds = reading.time - self.history.since
        if reading.reason in WAITING and self.history.stopped_at is not None:
            seconds = (datetime.now() - self.history.stopped_at).total_seconds()
        kind = f" - {reading.kind}" if verdict == "noisy" and reading.kind else ""
        lasted = f"  for {duration(seconds)}"
        return [Segment(verdict.upper() + kind, COLOURS[verdict] + BOLD), Segment(lasted, DIM)]

    def snr(self) -> Segment:
        """The SNR of the last reading; empty while warming up."""
        reading = self.history.last
        if reading is None or self.warming_up:
            return Segment("")
        return Segment(
            "SNR   - dB"
            if reading.snr_db is None or over(reading, self.history.detector.off)
            else f"SNR {reading.snr_db:3.0f} dB",
            BOLD,
        )

    def bar(self, cells: int) -> Line:
        """The probability of noise as a bar of this many cells, without its number."""
        reading = self.history.last
        style = COLOURS[self.history.verdict(reading)] if reading else DIM
        full = round(cells * ((reading.evidence if reading else None) or 0.0))
        return [Segment("█" * full, style), Segment("░" * (cells - full), DIM)]

    def percent(self) -> Segment:
        """The probability of noise as a number, never certain."""
        noise = self.history.last.evidence if self.history.last else None
        return Segment("   - " if noise is None else f"{min(noise, 0.99):5.0%}", BOLD)

    def advice(self) -> str:
        """A sentence on what to make of it."""
        if (ended := self.ended()) is not None:
            return ended
        reading = self.history.last
        if reading is None or self.warming_up:
            return WARMING_UP
        if reading.reason in WAITING and self.history.stopped_at is not None and self.source is not None:
            return waiting_for(printable(self.source.name), reading.reason, self.history.stopped_at)
        return advice(reading, self.history.verdict(reading), self.history.detector.off)
