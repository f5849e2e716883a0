"""A log of events, one JSON object per line."""

from __future__ import annotations

from pathlib import Path

from ..core.events import Event
from .appending import AppendingSink


class Log(AppendingSink):
    """Appends every event as a JSON line."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"the log {path}", path)

    def event(self, event: Event) -> None:
        self.write(event.json() + "\n")
