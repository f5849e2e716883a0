"""The live meter of several inputs: two lines for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

from ..core.events import KINDS
from ..errors import printable
from .status import Status
from .style import BOLD, COLOURS, DIM, MAX_WIDTH, Line, title, to_ascii
from .wording import clock

BAR = 20  # cells
VERDICT = 1 + max(len(f"NOISY - {kind}") for kind in KINDS)  # cells


@dataclass
class Rows:
    """A Rich renderable that reads the state of all inputs each time it is drawn."""

    model_name: str
    rows: Sequence[tuple[str, Status]] = ()  # the name of each input; empty until all are open
    notes: list[str] = field(default_factory=list)  # warnings from outside the detector

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, MAX_WIDTH)
        for number, line in enumerate(self._lines(max(10, width - 4), options.height or console.height)):
            if number:
                yield Segment.line()
            yield from to_ascii(line) if options.ascii_only else line

    def _lines(self, inner: int, height: int) -> list[Line]:
        """The lines that fit: blank lines, notes and the sentences of the rows are left out first."""
        notes = [[Segment(printable(note)[:inner], COLOURS["unknown"])] for note in self.notes]
        head = [title(self._about(), inner), []]
        foot = [self._footer(inner)]
        names = [printable(name) for name, _ in self.rows]
        column = min(max(map(cell_len, names), default=0), inner // 3)
        full = [
            self._row(set_cell_size(n, column), status, inner)
            for n, (_, status) in zip(names, self.rows, strict=True)
        ]
        spaced: list[Line] = [line for row in full for line in (*row, [])]
        tight: list[Line] = [*(line for row in full for line in row), []]
        short: list[Line] = [row[0] for row in full]
        for rows in (spaced, tight, short):
            lines = [*head, *rows, *notes, *foot]
            if len(lines) <= height:
                break
        else:
            lines = [*short, *notes]
        return [[Segment("  "), *line] for line in lines[:height]]

    def _about(self) -> str:
        if not self.rows:
            return f"opening the inputs · {self.model_name}"
        return f"{len(self.rows)} inputs · {self.model_name} · hop {self.rows[0][1].history.hop_s:g} s"

    def _row(self, name: str, status: Status, inner: int) -> tuple[Line, Line]:
        verdict, since = status.verdict()
        snr = status.snr()
        left = [Segment(name, BOLD), Segment("  "), *Segment.adjust_line_length([verdict], VERDICT), since]
        room = inner - len(snr.text)
        first = [*Segment.adjust_line_length(left, room), snr]
        reading = status.history.last
        warned = f" ({', '.join(reading.warnings)})" if reading and reading.warnings else ""
        bar = [*status.bar(BAR), status.percent(), Segment("  ")]
        room = inner - Segment.get_line_length(bar)
        said = f"{printable(status.advice())}{warned}"
        if cell_len(said) > room:
            said = set_cell_size(said, max(0, room - 1)) + "…"
        return first, Segment.adjust_line_length([*bar, Segment(said, DIM)], inner, pad=False)

    def _footer(self, inner: int) -> Line:
        parts = ["Ctrl-C ends"]
        for name, status in self.rows:
            if status.source and status.source.drops:
                parts.append(f"{printable(name)}: {status.source.drops} drops")
        times = [status.stream.time for _, status in self.rows if status.stream]
        if times:
            parts.append(clock(max(times)))
        return [Segment(" · ".join(parts)[:inner], DIM)]
