"""The table that `scan` prints: one row per recording, the noisiest first, and a row of totals.

A column is one entry of COLUMNS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import printable
from ..ui.wording import clock, duration
from .file_report import FileReport

PIPE_WIDTH = 200  # characters per line where stdout is not a terminal


@dataclass(frozen=True)
class Column:
    """A column: its header, the cell of a recording, and the cell in the row of totals."""

    header: str
    cell: Callable[[FileReport], str]
    total: Callable[[Sequence[FileReport]], str] = lambda reports: ""


def _median_snr(report: FileReport) -> str:
    snr_db = report.snr_median_db
    return "-" if snr_db is None else f"{round(round(snr_db, 1))} dB"  # rounded as in the JSON line first


def _worst(report: FileReport) -> str:
    return clock(report.worst_start) if report.segments and report.worst_start is not None else "-"


def _count(reports: Sequence[FileReport]) -> str:
    recordings = len({r.path for r in reports})
    channels = f", {len(reports)} channels" if len(reports) > recordings else ""
    return f"{recordings} recording{'' if recordings == 1 else 's'}{channels}"


def _length(reports: Sequence[FileReport]) -> str:
    return duration(sum({r.path: r.seconds for r in reports}.values()))


def _seconds(reports: Sequence[FileReport]) -> float:
    return sum(r.seconds for r in reports)


def _judged_s(reports: Sequence[FileReport]) -> float:
    return sum(r.judged_s for r in reports)


def _noisy(reports: Sequence[FileReport]) -> str:
    return f"{sum((r.noisy or 0) * r.judged_s for r in reports) / _judged_s(reports):.0%}"


def _unjudged(reports: Sequence[FileReport]) -> str:
    judged_s, seconds = _judged_s(reports), _seconds(reports)
    return f"{1 - judged_s / seconds:.0%}" if judged_s < seconds else ""


COLUMNS = (
    Column("recording", lambda r: printable(r.title), _count),
    Column("length", lambda r: duration(r.seconds), _length),
    Column("noisy", lambda r: f"{r.noisy:.0%}", _noisy),
    Column("median SNR", _median_snr),
    Column("noises", lambda r: str(len(r.segments)), lambda reports: str(sum(len(r.segments) for r in reports))),
    Column("worst at", _worst),
    Column("not judged", lambda r: f"{r.unknown:.0%}" if r.unknown else "", _unjudged),
    Column("warnings", lambda r: " ".join(r.warnings)),
)


def print_table(reports: Sequence[FileReport]) -> None:
    """Print the judged recordings to stdout, if there are any."""
    from rich.table import Table

    from ..ui import terminal

    judged = sorted((r for r in reports if r.judged), key=lambda r: (-(r.noisy or 0), -(r.worst_noise or 0)))
    if not judged:
        return
    first, *numbers = COLUMNS
    table = Table(first.header, box=None, header_style="bold")
    for column in numbers:
        table.add_column(column.header, justify="right", no_wrap=True)
    for report in judged:
        table.add_row(*(column.cell(report) for column in COLUMNS))
    if len(judged) > 1:
        table.add_section()
        table.add_row(*(column.total(judged) for column in COLUMNS), style="bold")
    console = terminal.console(emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table, markup=False)
