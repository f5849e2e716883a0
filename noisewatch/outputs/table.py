"""A CSV table of noises."""

from __future__ import annotations

import io
import json
from pathlib import Path

from ..core.events import Event
from ..system.csv_writer import CsvWriter
from .appending import AppendingSink
from .sink import SessionInfo


class Table(AppendingSink):
    """Appends a CSV row for every noise that ends."""

    FIELDS = (
        "utc", "device", "model", "id", "onset", "end", "duration", "peak", "mean", "snr_db", "level_dbfs", "drops",
        "input",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        super().__init__(f"the table {path}", path)

    def heading(self, session: SessionInfo, *, empty: bool, reopened: bool) -> str:
        return ",".join(self.FIELDS) + "\n" if empty else ""

    def event(self, event: Event) -> None:
        if event.event == "noise_end":
            row = io.StringIO()
            CsvWriter(row, self.FIELDS).row(json.loads(event.json()))
            self.write(row.getvalue())
