"""The live meter: is there noise behind my voice, how much, since when?"""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment

from ..audio.logmel import MELS
from ..core.events import Reading
from ..core.stream import Stream
from ..errors import printable
from ..inputs.source import Source
from .history import SPAN_S, History
from .rows import Rows
from .spectrogram import spectrogram
from .status import Status
from .style import COLOURS, DIM, FRAMES_PER_S, LABEL, MAX_WIDTH, Line, label, level_bar, title, to_ascii
from .wording import clock, warned

SPECTROGRAM_S = 0.5  # between two spectrograms, which cost more than the rest and change slowly
SPECTROGRAM_HEIGHT = 20  # rows that a terminal needs to show one
MAX_HISTORY = 60  # cells
BARS = " ▁▂▃▄▅▆▇█"


@dataclass
class Meter:
    """A Rich renderable that reads the state of a session each time it is drawn."""

    history: History
    model_name: str
    stream: Stream | None = None  # None until the model is loaded
    source: Source | None = None
    notes: list[str] = field(default_factory=list)  # warnings from outside the detector
    _spectrogram: list[Line] = field(default_factory=list)
    _spectrogram_key: tuple[float, int] = (-1.0, 0)  # time and width at which it was drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, MAX_WIDTH)
        height = options.height or console.height
        for number, line in enumerate(self._lines(width, height, ascii_only=options.ascii_only)):
            if number:
                yield Segment.line()
            yield from line

    def _lines(self, width: int, height: int, *, ascii_only: bool) -> list[Line]:
        """The lines that fit; the least important blocks are left out first."""
        inner = max(10, width - 4)
        blocks: list[tuple[int, list[Line]]] = [  # priority (0: always shown), lines
            (1, [self._title(inner), []]),
            (0, [self._verdict(inner), *self._bar(inner), *self._advice(inner)]),
            (2, [[], *self._numbers(inner)]),
            (3, [[], self._last_30_s(inner)]),
            (5, [[], *self._spectrogram_lines(inner)] if height >= SPECTROGRAM_HEIGHT else []),
            (4, [[], self._footer(inner)]),
        ]
        while sum(len(lines) for _, lines in blocks) > height and len(blocks) > 1:
            blocks.remove(max(blocks, key=lambda b: b[0]))
        lines = [[Segment("  "), *line] for _, block in blocks for line in block][:height]
        return [to_ascii(line) for line in lines] if ascii_only else lines

    def _title(self, width: int) -> Line:
        source = printable(self.source.name) if self.source else "opening the input"
        hop = f" · hop {self.history.hop_s:g} s" if self.stream else ""
        right = f"{source} · {self.model_name}{hop}"
        return title(right, width)

    @property
    def _status(self) -> Status:
        return Status(self.history, self.stream, self.source)

    def _verdict(self, width: int) -> Line:
        verdict, snr = self._status.verdict(), self._status.snr()
        gap = max(1, width - Segment.get_line_length(verdict) - len(snr.text))
        return [*verdict, Segment(" " * gap), snr]

    def _bar(self, width: int) -> list[Line]:
        row = self._status.bar(width - 6)
        return [row, [*row, Segment(" "), self._status.percent()], row]

    def _advice(self, width: int) -> list[Line]:
        return [[Segment(line)] for line in textwrap.wrap(self._status.advice(), width)]

    def _numbers(self, width: int) -> list[Line]:
        reading = self.history.last
        level = reading.level_dbfs if reading else None
        if self._status.warming_up and self.stream:
            level = self.stream.level_dbfs
        voice = ""
        if reading and reading.voice is not None:
            voice = "voice" if reading.spoken else "no voice"
        lines = [[*level_bar(level, max(10, width - 40)), Segment(f"   {voice}", DIM)]]
        told = [("warns", line) for line in warned(reading)] if reading else []
        told += [("note", printable(note)) for note in self.notes]
        for name, sentence in told:
            for number, text in enumerate(textwrap.wrap(sentence, width - LABEL)):
                lines.append([label("" if number else name), Segment(text, COLOURS["unknown"])])
        return lines

    def _last_30_s(self, width: int) -> Line:
        """A column for each fraction of the last 30 s, as high as its worst reading."""
        history = self.history
        cells = min(width - LABEL, MAX_HISTORY)
        now = history.last.time if history.last else 0.0
        worst: list[Reading | None] = [None] * cells
        columns = max(1, round(history.hop_s / SPAN_S * cells))  # per reading
        for reading in list(history.recent):
            newest = cells - 1 - int((now - reading.time) / SPAN_S * cells)
            for column in range(max(0, newest - columns + 1), max(0, newest + 1)):
                other = worst[column]
                if other is None or (reading.evidence or 0) >= (other.evidence or 0):
                    worst[column] = reading
        return list(Segment.simplify([label("30 s"), *map(self._history_cell, worst)]))

    def _history_cell(self, reading: Reading | None) -> Segment:
        if reading is None:
            return Segment(" ")
        if reading.evidence is None:
            return Segment("?", COLOURS["unknown"])
        return Segment(BARS[1 + int(reading.evidence * 7.99)], COLOURS[self.history.verdict(reading)])

    def _spectrogram_lines(self, width: int) -> list[Line]:
        now = time.monotonic()
        drawn, drawn_width = self._spectrogram_key
        if now - drawn >= SPECTROGRAM_S or drawn_width != width:
            frames = self.stream.window() if self.stream else np.zeros((0, MELS), np.float32)
            self._spectrogram = spectrogram(frames, width)
            self._spectrogram_key = (now, width)
        return self._spectrogram

    def _footer(self, width: int) -> Line:
        parts = ["Ctrl-C ends"]
        if self.stream and self.source:
            heard = self.history.last.reference if self.history.last else "assumed"
            parts += [
                f"drops {self.source.drops}",
                f"late {self.source.late_s:.2f} s",
                f"reference {self.stream.reference_dbfs:.0f} dBFS {heard}",
            ]
            if self.stream.skipped:
                parts.append(f"skipped {self.stream.skipped}")
            parts.append(clock(self.stream.time))
        return [Segment(" · ".join(parts)[:width], DIM)]


def live(meter: Meter | Rows, console: Console) -> Live:
    """The meter on the alternate screen, which leaves the terminal as it was."""
    return Live(
        get_renderable=lambda: meter, console=console, screen=True, refresh_per_second=FRAMES_PER_S,
        redirect_stdout=False, redirect_stderr=False, transient=True,
    )  # fmt: skip
