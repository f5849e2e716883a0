"""The live meter: is there noise behind my voice, how much, since when?"""

from __future__ import annotations

import math
import textwrap
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from ..audio.logmel import FRAMES, MELS
from ..core.events import Reading
from ..core.stream import Stream
from ..errors import printable
from ..inputs.source import Source
from . import terminal
from .history import SPAN_S, History
from .wording import advice, clock, duration

FRAMES_PER_S = 6  # bar and numbers
PICTURE_S = 0.5  # the picture costs more than the rest, and moves slowly
PICTURE_ROWS = 8
PICTURE_RANGE_DB = 60.0  # from the loudest cell down
PICTURE_TOP_DB = -45.0  # Mel power; where nothing is louder, what there is stays dark
MAX_WIDTH = 100
SHADES = " ░▒▓█"
BARS = " ▁▂▃▄▅▆▇█"

Line = list[Segment]

DIM = Style.parse("dim")
BOLD = Style.parse("bold")
COLOURS = {
    "clean": Style.parse("green"),
    "maybe": Style.parse("color(214)"),
    "noisy": Style.parse("red"),
    "unknown": Style.parse("yellow"),
}
LOUD = {state: style + BOLD for state, style in COLOURS.items()}
HEAT = [Style.parse(c) for c in ("color(17)", "color(18)", "color(55)", "color(126)", "color(203)", "color(222)")]


@dataclass
class Meter:
    """A Rich renderable that looks at a session whenever it is drawn, six times a second."""

    history: History
    model_name: str
    stream: Stream | None = None  # None until the model is loaded
    source: Source | None = None
    notes: list[str] = field(default_factory=list)  # what went wrong beside the meter
    _picture: list[Line] = field(default_factory=list)
    _picture_key: tuple[float, int] = (-1.0, 0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, MAX_WIDTH)
        height = options.height or console.height
        for number, line in enumerate(self._lines(width, height, ascii_only=options.ascii_only)):
            if number:
                yield Segment.line()
            yield from line

    def _lines(self, width: int, height: int, *, ascii_only: bool) -> list[Line]:
        """As many of the lines as fit, the least needed left out first."""
        inner = max(10, width - 4)
        blocks: list[tuple[int, list[Line]]] = [  # importance, lines
            (1, [self._title(inner), []]),
            (0, [self._verdict(inner), *self._bar(inner), *self._advice(inner)]),
            (2, [[], *self._numbers(inner)]),
            (3, [[], *self._last_30_s(inner)]),
            (5, [[], *self._spectrogram(inner)] if height >= 20 else []),
            (4, [[], self._footer(inner)]),
        ]
        while sum(len(lines) for _, lines in blocks) > height and len(blocks) > 1:
            blocks.remove(max(blocks, key=lambda b: b[0]))
        lines = [[Segment("  "), *line] for _, block in blocks for line in block][:height]
        if ascii_only:
            lines = [[Segment(_ascii(s.text), s.style) for s in line] for line in lines]
        return lines

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

    @property
    def _warming_up(self) -> bool:
        """No reading yet, or none since a stalled input came back."""
        reading = self.history.last
        return reading is None or (
            reading.reason in ("stalled", "gap") and (self.stream is not None and self.stream.time > reading.time)
        )

    def _verdict(self, width: int) -> Line:
        reading = self.history.last
        if self._warming_up:
            missing = self.stream.warming_up_s if self.stream else 3.0
            return [Segment("WARMING UP", BOLD), Segment(f"  first reading in {missing:.1f} s", DIM)]
        assert reading is not None
        lasted = duration(reading.time - self.history.since + self.history.waited_s)
        verdict = self.history.verdict(reading)
        left = verdict.upper()
        right = "SNR   - dB" if reading.snr_db is None else f"SNR {reading.snr_db:3.0f} dB"
        gap = " " * max(1, width - len(left) - len(lasted) - 6 - len(right))
        return [
            Segment(left, LOUD[verdict]),
            Segment(f"  for {lasted}", DIM),
            Segment(gap),
            Segment(right, BOLD),
        ]

    def _bar(self, width: int) -> list[Line]:
        reading = self.history.last
        noise = reading.noise if reading else None
        style = COLOURS[self.history.verdict(reading)] if reading else DIM
        cells = width - 6
        full = round(cells * (noise or 0.0))
        label = "   - " if noise is None else f"{min(noise, 0.99):5.0%}"  # it is never certain
        row = [Segment("█" * full, style), Segment("░" * (cells - full), DIM)]
        return [row, [*row, Segment(" "), Segment(label, BOLD)], row]

    def _advice(self, width: int) -> list[Line]:
        reading = self.history.last
        text = "Listening. A verdict needs three seconds of sound."
        if reading and not self._warming_up:
            text = advice(reading, self.history.verdict(reading))
        return [[Segment(line)] for line in textwrap.wrap(text, width)]

    def _numbers(self, width: int) -> list[Line]:
        reading = self.history.last
        level = reading.level_dbfs if reading else None
        if self._warming_up and self.stream:
            level = self.stream.level_dbfs
        voice = "" if reading is None or reading.voice is None else "voice" if reading.spoken else "no voice"
        lines = [[*level_bar(level, max(10, width - 40)), Segment(f"   {voice}", DIM)]]
        if reading and reading.warnings:
            lines.append([Segment("warns  ", DIM), Segment(", ".join(reading.warnings), COLOURS["unknown"])])
        for note in self.notes:
            for number, line in enumerate(textwrap.wrap(printable(note), width - 7)):
                lines.append([Segment("       " if number else "note   ", DIM), Segment(line, COLOURS["unknown"])])
        return lines

    def _last_30_s(self, width: int) -> list[Line]:
        cells = min(width - 7, 60)
        line: Line = [Segment("30 s   ", DIM)]
        history = self.history
        now = history.last.time if history.last else 0.0
        worst: list[Reading | None] = [None] * cells
        covers = max(1, round(history.hop_s / SPAN_S * cells))  # columns that one reading stands for
        for reading in list(history.recent):
            place = cells - 1 - int((now - reading.time) / SPAN_S * cells)
            for column in range(max(0, place - covers + 1), max(0, place + 1)):
                held = worst[column]
                if held is None or (reading.noise or 0) >= (held.noise or 0):
                    worst[column] = reading
        for kept in worst:
            if kept is None:
                line.append(Segment(" "))
            elif kept.noise is None:
                line.append(Segment("?", COLOURS["unknown"]))
            else:
                line.append(Segment(BARS[1 + int(kept.noise * 7.99)], COLOURS[history.verdict(kept)]))
        return [_joined(line)]

    def _spectrogram(self, width: int) -> list[Line]:
        now = time.monotonic()
        if now - self._picture_key[0] < PICTURE_S and self._picture_key[1] == width:
            return self._picture
        frames = self.stream.window() if self.stream else np.zeros((0, MELS), np.float32)
        self._picture = picture(frames, width - 7)
        self._picture_key = (now, width)
        return self._picture

    def _footer(self, width: int) -> Line:
        parts = ["Ctrl-C ends"]
        if self.stream and self.source:
            heard = self.history.last.reference if self.history.last else "assumed"
            drops, late = self.source.drops, self.source.late_s
            parts = [
                f"drops {drops}",
                f"late {late:.2f} s",
                f"reference {self.stream.reference_dbfs:.0f} dBFS {heard}",
            ]
            if self.stream.skipped:
                parts.append(f"skipped {self.stream.skipped}")
            parts.append(clock(self.stream.time))
            parts.insert(0, "Ctrl-C ends")
        return [Segment(" · ".join(parts)[:width], DIM)]


def level_bar(level: float | None, cells: int) -> Line:
    """A level (dBFS) from -70 to full scale, and its number."""
    full = 0 if level is None else int(np.clip((level + 70) / 70 * cells, 0, cells))
    shown = "  -  dBFS" if level is None else f"{level:5.0f} dBFS"
    return [Segment("level  ", DIM), Segment("█" * full), Segment("·" * (cells - full), DIM), Segment(shown)]


@dataclass
class Countdown:
    """One line while `check` and `calibrate` listen: what to do now, for how long still, and what comes in."""

    stream: Stream
    source: Source
    seconds: float | None  # None: to the end
    do: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        time = self.stream.time
        left = f"{time:.0f} s" if self.seconds is None else f"{max(0, math.ceil(self.seconds - time))} s left"
        line = [*level_bar(self.stream.level_dbfs, 16), Segment(f"   {left}", BOLD), Segment(f"   {self.do}")]
        line.append(Segment(f"   {printable(self.source.name)}", DIM))
        if options.ascii_only:
            line = [Segment(_ascii(s.text), s.style) for s in line]
        yield from Segment.adjust_line_length(line, options.max_width, pad=False)


def counting(countdown: Countdown) -> AbstractContextManager[object]:
    """The countdown on stderr meanwhile, where that is a terminal."""
    console = terminal.console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        return nullcontext()
    return Live(
        get_renderable=lambda: countdown, console=console, refresh_per_second=FRAMES_PER_S,
        redirect_stdout=False, redirect_stderr=False, transient=True,
    )  # fmt: skip


def picture(frames: NDArray[np.float32], columns: int) -> list[Line]:
    """Log-Mel frames (n, 40) as rows of shaded cells, high bands on top, newest on the right."""
    labels = ["8 kHz  ", *["       "] * (PICTURE_ROWS - 2), "0      "]
    if not len(frames):
        return [[Segment(label, DIM)] for label in labels]
    bands = frames.shape[1] // PICTURE_ROWS
    edges = np.linspace(0, FRAMES, columns + 1).astype(int)[:-1]
    full = np.full((FRAMES, frames.shape[1]), frames.min(), np.float32)
    full[FRAMES - len(frames) :] = frames[-FRAMES:]
    rows = full.reshape(FRAMES, PICTURE_ROWS, bands).max(axis=2)  # the loudest band of each row
    cells = np.maximum.reduceat(rows, edges, axis=0).T[::-1] * (10 / np.log(10))  # dB
    depth = np.clip(1 + (cells - max(cells.max(), PICTURE_TOP_DB)) / PICTURE_RANGE_DB, 0, 0.999)
    levels = (depth * len(HEAT)).astype(int)
    lines: list[Line] = []
    for label, row in zip(labels, levels, strict=True):
        line: Line = [Segment(label, DIM)]
        # Neighbours mostly share a shade: one segment for each run.
        breaks = np.flatnonzero(np.diff(row)) + 1
        for run in np.split(row, breaks):
            level = int(run[0])
            shade = SHADES[min(level, len(SHADES) - 1)]
            line.append(Segment(shade * len(run), HEAT[level]))
        lines.append(line)
    return lines


_TO_ASCII = str.maketrans(dict(zip("░▒▓█▁▂▃▄▅▆▇·…", ".:*#__.--==.~", strict=True)))


def _ascii(text: str) -> str:
    """For terminals that can show nothing else."""
    return text.translate(_TO_ASCII).encode("ascii", "replace").decode()


def _joined(line: Line) -> Line:
    """Neighbouring segments of one style as one."""
    return list(Segment.simplify(line))


def live(meter: Meter, console: Console) -> Live:
    """The meter on the alternate screen, so that the terminal comes back as it was."""
    return Live(
        get_renderable=lambda: meter, console=console, screen=True, refresh_per_second=FRAMES_PER_S,
        redirect_stdout=False, redirect_stderr=False, transient=True,
    )  # fmt: skip
