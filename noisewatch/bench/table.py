"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation import tables
from .report import BenchReport, Spread, Step

HEAD = ("step", "ms per s of audio", "ratio to push", "MB", "M MAC per s", "times the floor")


def markdown(report: BenchReport) -> str:
    """The table, what it was measured on, and what was left out."""
    rows = _aligned([HEAD, *map(_cells, report.steps)])
    used = ", ".join([f"{name} {version}" for name, version in report.versions.items()])
    others = ", ".join(step.version for step in report.steps if step.version)
    lines = [
        *tables.table(rows[0], rows[1:]),
        "",
        f"{report.date}, {report.machine}. {used[0].upper()}{used[1:]}{f'; {others}' if others else ''}.",
        "",
        f"Medians of {report.rounds} rounds in turns, in brackets the extremes. A matrix product reaches "
        f"{_spread(report.gmacs)} G MAC a second on one thread.",
    ]
    for left in report.left_out:
        lines += ["", f"{left.name}: {left.reason}. Install it with `{left.install}`."]
    return "\n".join(lines)


def _cells(step: Step) -> tuple[str, ...]:
    return (
        step.name,
        _spread(step.ms_per_s),
        f"{step.ratio.median:.2f}",
        tables.figure(step.memory_mb, ".0f"),
        "-" if step.macs_per_s is None else f"{step.macs_per_s / 1e6:.1f}",
        "-" if step.times_floor is None else f"{step.times_floor.median:.1f}",
    )


def _spread(value: Spread) -> str:
    digits = 2 if value.median < 10 else 1
    return f"{value.median:.{digits}f} ({value.min:.{digits}f} to {value.max:.{digits}f})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells, padded to the width of their columns: a table is read in the terminal, too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
