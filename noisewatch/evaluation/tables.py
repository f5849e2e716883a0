"""Figures and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .estimate import Estimate


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [_line(head), "| --- " * len(head) + "|", *map(_line, rows)]


def estimate(value: Estimate, form: str = ".3f") -> str:
    """A figure with its interval, such as "0.995 (0.990 to 0.998)"; a dash if there is none."""
    if value.low is None:
        return figure(value.value, form)
    return f"{figure(value.value, form)} ({figure(value.low, form)} to {figure(value.high, form)})"


def figure(value: float | None, form: str = ".3f") -> str:
    """A number; a dash for None."""
    return "-" if value is None else f"{value:{form}}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
