"""An Audacity label track of noises."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from pathlib import Path

from ..core.events import Event, label_line, utc
from ..errors import printable
from .appending import AppendingSink
from .sink import SessionInfo


class Labels(AppendingSink):
    """Appends a label for every noise that ends, and one where each session starts.

    Times are seconds since the first session of the file started. A later live session is placed by the wall clock,
    a recording directly after the last label. No session starts before the last noise has ended. The labels of
    several inputs lie on one track and begin with the input's name.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"the labels {path}", path)
        self._offset = 0.0  # of this session on the track, s

    def heading(self, session: SessionInfo, *, empty: bool, reopened: bool) -> str:
        track = "" if empty or reopened else self._path.read_text(encoding="utf-8", errors="replace")
        self._offset = _session_offset(track, session)
        at = f"{self._offset:.3f}"
        return f"{at}\t{at}\tsession {utc(session.started)} {printable(session.device)}\n"

    def event(self, event: Event) -> None:
        if event.event == "noise_end":
            start, end = (self._offset + t for t in (event.onset, event.end or event.time))
            self.write(label_line(start, end, event.mean or 0.0, event.snr_db, input=event.input))


def _session_offset(track: str, session: SessionInfo) -> float:
    """Where a session starts on an existing track, s; 0 on an empty one."""
    last_end, first_started = 0.0, None
    for line in track.splitlines():
        match = re.fullmatch(r"([\d.]+)\t([\d.]+)\t(.*)", line)
        if match is None:
            continue
        with contextlib.suppress(ValueError):
            last_end = max(last_end, float(match[2]))
            if first_started is None and match[3].startswith("session "):
                started = datetime.fromisoformat(match[3].split()[1])
                first_started = started - timedelta(seconds=float(match[1]))
    if first_started is None or not session.live:
        return last_end
    return max(last_end, (session.started - first_started).total_seconds())
