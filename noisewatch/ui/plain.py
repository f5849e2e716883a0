"""Readings and events as lines of text, for output that is not a terminal."""

from __future__ import annotations

from ..core.events import WAITING, Event, Reading
from ..errors import printable
from .history import History
from .wording import event_line, reading_line


class PlainLines:
    """One reading per second, every change of the verdict or its reason, and every event."""

    def __init__(self) -> None:
        # By input: stream time of the next reading to print; verdict and reason of the last.
        self._due: dict[str | None, float] = {}
        self._last: dict[str | None, tuple[str, str | None]] = {}

    def __call__(self, item: Reading | Event, history: History) -> str | None:
        """The line for an item, which begins with its input; None for a reading that is left out.

        history: of the input.
        """
        whose = "" if item.input is None else f"{printable(item.input)}  "
        if isinstance(item, Event):
            return whose + event_line(item)
        shown = history.verdict(item), item.reason
        due = item.time >= self._due.get(item.input, 0.0) - 1e-6
        if not due and shown == self._last.get(item.input) and item.reason not in WAITING:
            return None
        self._due[item.input], self._last[item.input] = item.time + 1, shown
        return whose + reading_line(item, shown[0], history.detector.off)
