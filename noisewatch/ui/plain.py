"""What `listen` prints where stdout is not a terminal."""

from __future__ import annotations

from ..core.events import Event, Reading
from .history import History
from .wording import event_line, reading_line


class PlainLines:
    """A line a second, and one for every change of the verdict and every event."""

    def __init__(self) -> None:
        self._due = 0.0
        self._before: tuple[str, str | None] | None = None

    def __call__(self, item: Reading | Event, history: History) -> str | None:
        """The line for an item, if there is one."""
        if isinstance(item, Event):
            return event_line(item)
        verdict = history.verdict(item)
        changed = (verdict, item.reason) != self._before
        if item.time < self._due - 1e-6 and not changed and item.reason != "stalled":
            return None
        self._due, self._before = item.time + 1, (verdict, item.reason)
        return reading_line(item, verdict)
