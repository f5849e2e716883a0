"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation import tables
from .report import BenchReport, Spread, Step

HEAD = ("step", "ms", "ratio", "MB", "MMAC", "x floor")


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
        "ms and million multiply-accumulates (MMAC) for one second of audio; ratio to the whole path of the "
        "default model, in each round; MB added to the process; x floor: over the time of the MAC in a matrix "
        "product.",
        "",
        f"Medians of {report.rounds} rounds, in brackets the extremes. A matrix product makes "
        f"{_spread(report.gmacs)} billion MAC a second on one thread.",
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
    digits = 2 if value.median < 10 else 1 if value.median < 100 else 0
    return f"{value.median:.{digits}f} ({value.min:.{digits}f} to {value.max:.{digits}f})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells, padded to the width of their columns: a table is read in the terminal, too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
