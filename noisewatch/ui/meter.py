"""The live meter: is there noise behind my voice, how much, since when?"""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment

from ..audio.logmel import MELS
from ..core.events import NO_AUDIO, WAITING, Reading
from ..core.stream import Stream
from ..errors import printable
from ..inputs.source import Source
from .history import SPAN_S, History
from .spectrogram import spectrogram
from .style import BOLD, COLOURS, DIM, FRAMES_PER_S, LABEL, Line, label, level_bar, to_ascii
from .wording import WARMING_UP, advice, clock, duration, waiting_for, warned

SPECTROGRAM_S = 0.5  # between two spectrograms, which cost more than the rest and change slowly
SPECTROGRAM_HEIGHT = 20  # rows that a terminal needs to show one
MAX_WIDTH = 100
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
        right = set_cell_size(right, width - 12) if cell_len(right) > width - 12 else right
        return [
            Segment("noisewatch", BOLD),
            Segment(" " * max(1, width - 10 - cell_len(right))),
            Segment(right, DIM),
        ]

    def note(self, sentence: str) -> None:
        """Show a sentence; one that is repeated is shown once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    @property
    def _warming_up(self) -> bool:
        """Whether there is no reading yet, or none since an interrupted input resumed."""
        reading = self.history.last
        if reading is None:
            return True
        resumed = self.stream is not None and self.stream.time > reading.time
        return reading.reason in NO_AUDIO and resumed

    def _verdict(self, width: int) -> Line:
        reading = self.history.last
        if reading is None or self._warming_up:
            missing = self.stream.warming_up_s if self.stream else 3.0
            return [Segment("WARMING UP", BOLD), Segment(f"  first reading in {missing:.1f} s", DIM)]
        verdict = self.history.verdict(reading)
        left = verdict.upper()
        seconds = reading.time - self.history.since
        if reading.reason in WAITING and self.history.stopped_at is not None:
            seconds = (datetime.now() - self.history.stopped_at).total_seconds()
        lasted = f"  for {duration(seconds)}"
        right = "SNR   - dB" if reading.snr_db is None else f"SNR {reading.snr_db:3.0f} dB"
        return [
            Segment(left, COLOURS[verdict] + BOLD),
            Segment(lasted, DIM),
            Segment(" " * max(1, width - len(left) - len(lasted) - len(right))),
            Segment(right, BOLD),
        ]

    def _bar(self, width: int) -> list[Line]:
        reading = self.history.last
        noise = reading.noise if reading else None
        style = COLOURS[self.history.verdict(reading)] if reading else DIM
        cells = width - 6
        full = round(cells * (noise or 0.0))
        number = "   - " if noise is None else f"{min(noise, 0.99):5.0%}"  # never certain
        row = [Segment("█" * full, style), Segment("░" * (cells - full), DIM)]
        return [row, [*row, Segment(" "), Segment(number, BOLD)], row]

    def _advice(self, width: int) -> list[Line]:
        reading = self.history.last
        text = WARMING_UP
        if reading and not self._warming_up:
            text = advice(reading, self.history.verdict(reading))
            if reading.reason in WAITING and self.history.stopped_at is not None and self.source is not None:
                text = waiting_for(printable(self.source.name), reading.reason, self.history.stopped_at)
        return [[Segment(line)] for line in textwrap.wrap(text, width)]

    def _numbers(self, width: int) -> list[Line]:
        reading = self.history.last
        level = reading.level_dbfs if reading else None
        if self._warming_up and self.stream:
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
                if other is None or (reading.noise or 0) >= (other.noise or 0):
                    worst[column] = reading
        return list(Segment.simplify([label("30 s"), *map(self._history_cell, worst)]))

    def _history_cell(self, reading: Reading | None) -> Segment:
        if reading is None:
            return Segment(" ")
        if reading.noise is None:
            return Segment("?", COLOURS["unknown"])
        return Segment(BARS[1 + int(reading.noise * 7.99)], COLOURS[self.history.verdict(reading)])

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


def live(meter: Meter, console: Console) -> Live:
    """The meter on the alternate screen, which leaves the terminal as it was."""
    return Live(
        get_renderable=lambda: meter, console=console, screen=True, refresh_per_second=FRAMES_PER_S,
        redirect_stdout=False, redirect_stderr=False, transient=True,
    )  # fmt: skip
