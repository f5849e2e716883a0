"""Writes to the terminal on a thread, so that the meter never waits for it."""

from __future__ import annotations

import contextlib
import sys

from .stdout import CLOSE_S, StdoutWriter

MAX_BYTES = 1 << 15  # of unread output; beyond it, frames are dropped
FRAME = 200  # characters: shorter writes switch the cursor or the screen, and are never dropped


class Screen:
    """A file object for Rich that drops whole frames while the terminal does not accept them."""

    def __init__(self) -> None:
        self._writer = StdoutWriter(live=True, max_bytes=MAX_BYTES)
        self.encoding = sys.stdout.encoding

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):  # the terminal was closed
            self._writer.write(text, always=len(text) < FRAME)
        return len(text)

    def flush(self) -> None:
        """Does nothing: the writer's thread flushes."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return sys.stdout.fileno()

    def drain(self) -> None:
        """Wait until the terminal has everything, for as long as it accepts it."""
        self._writer.drain(2 * CLOSE_S)

    def close(self) -> None:
        """Write what is left, for as long as the terminal accepts it."""
        with contextlib.suppress(OSError):
            self._writer.close(2 * CLOSE_S)
