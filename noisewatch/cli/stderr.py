"""Sentences on stderr, beside the data on stdout. A reader that does not read blocks nothing."""

from __future__ import annotations

import select
import sys
from contextlib import suppress

from ..errors import printable

READY_S = 0.3  # time that stderr may take to accept a line
_blocked = False  # stderr is not being read: every later line is dropped


def notify(sentence: str) -> None:
    """Write a sentence about what the command does or finds."""
    write_line(f"noisewatch: {printable(sentence)}")


def write_line(line: str) -> None:
    """Write a line as it is. It is dropped, like all later ones, if stderr does not accept it in time."""
    global _blocked
    if not _blocked and sys.platform != "win32":  # select takes only sockets there
        with suppress(OSError, ValueError):
            _blocked = not select.select([], [sys.stderr], [], READY_S)[1]
    if not _blocked:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)
