"""Readings and events as lines of text, for output that is not a terminal."""

from __future__ import annotations

from ..core.events import WAITING, Event, Reading
from .history import History
from .wording import event_line, reading_line


class PlainLines:
    """One reading per second, every change of the verdict or its reason, and every event."""

    def __init__(self) -> None:
        self._due = 0.0  # stream time of the next reading to print
        self._last: tuple[str, str | None] | None = None

    def __call__(self, item: Reading | Event, history: History) -> str | None:
        """The line for an item; None for a reading that is left out."""
        if isinstance(item, Event):
            return event_line(item)
        verdict = history.verdict(item)
        changed = (verdict, item.reason) != self._last
        if item.time < self._due - 1e-6 and not changed and item.reason not in WAITING:
            return None
        self._due, self._last = item.time + 1, (verdict, item.reason)
        return reading_line(item, verdict)
