"""The list of all sinks."""

from __future__ import annotations

from pathlib import Path

from .clips import Clips
from .command import Command
from .labels import Labels
from .log import Log
from .sink import Sink
from .table import Table


def make_sinks(
    *,
    log: Path | None = None,
    table: Path | None = None,
    labels: Path | None = None,
    command: str | None = None,
    clips: Path | None = None,
    pre_roll_s: float = 2.0,
) -> list[Sink]:
    """A sink for each destination given. Raises UsageError for an invalid command or pre-roll."""
    sinks: list[Sink | None] = [
        Log(log) if log else None,
        Table(table) if table else None,
        Labels(labels) if labels else None,
        Command(command) if command is not None else None,
        Clips(clips, pre_roll_s) if clips else None,
    ]
    return [sink for sink in sinks if sink is not None]
