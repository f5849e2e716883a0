"""What goes to stdout and holds up nothing else, however slowly it is read."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
import time
from collections import deque
from typing import Any

LIVE_BYTES = 1 << 20  # that may wait to be read before a live input loses lines: some minutes
SCREEN_BYTES = 1 << 15  # before the meter leaves frames out
FRAME = 200  # characters that a frame has at least: what is shorter turns the cursor on, or the screen back
KEPT_BYTES = 64 << 20  # before a recording waits: hours
WHOLE = 4096  # bytes that a pipe takes as a whole or not at all (PIPE_BUF on Linux)
END_S = 0.3  # that an end which cannot wait leaves to whoever reads


class Lines:
    """Lines, written to stdout by a thread of their own.

    What a live input has to say and nobody reads is lost and counted; a recording loses nothing, and waits once
    64 MiB are unread.
    """

    def __init__(self, *, live: bool, most: int | None = None) -> None:
        """most: bytes that may wait, in place of the usual."""
        sys.stdout.flush()
        self.lost = 0
        self._waits = not live
        self._most = most or (LIVE_BYTES if live else KEPT_BYTES)
        # Its buffer has a lock, on which the end of the process would wait.
        self._file: Any = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        self._encoding, self._errors = sys.stdout.encoding, sys.stdout.errors or "strict"
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0  # bytes
        self._ended = False
        self.error: OSError | None = None  # why nothing more can be written
        self._told = False
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, line: str) -> None:
        """A line without its newline. Raises OSError, once, when stdout does not take them any more."""
        self.put_text(f"{line}\n")

    def put_text(self, text: str, *, always: bool = False) -> None:
        """Like `put`, as it is; always: however much waits already."""
        data = text.encode(self._encoding, self._errors)
        with self._changed:
            while self._waits and self._size >= self._most and self.error is None:
                self._changed.wait()
            if self.error is not None or (self._size >= self._most and not always):
                self.lost += 1
                self._raise()
                return
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify_all()

    def hurry(self) -> None:
        """From now on nothing waits for the reader."""
        self._waits = False

    def close(self, patience_s: float = END_S) -> None:
        """Wait for the reader, if only for a moment unless a recording ends by itself; count what is lost then.

        Raises OSError as `put` does.
        """
        deadline = None if self._waits else time.monotonic() + patience_s
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            while self._waiting and self.error is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            self.lost += len(self._waiting)
            self._waiting.clear()
            self._raise()

    def _raise(self) -> None:
        if self.error is not None and not self._told:
            self._told = True
            raise self.error

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    return
                taken, size = 1, len(self._waiting[0])
                while taken < len(self._waiting) and size + len(self._waiting[taken]) <= WHOLE:
                    size += len(self._waiting[taken])
                    taken += 1
                data = b"".join(self._waiting[n] for n in range(taken))
            written, error = self._write(data)
            with self._changed:
                self.error = error
                while self._waiting and len(self._waiting[0]) <= written:  # nothing is left once it was closed
                    written -= len(self._waiting.popleft())
                self._size -= size
                self._changed.notify_all()
            if error is not None:
                return

    def _write(self, data: bytes) -> tuple[int, OSError | None]:
        """How many bytes were written, and why not all."""
        done = 0
        try:
            while done < len(data):
                written = self._file.write(data[done:])
                if written is None:  # whoever gave us stdout did not want to wait either
                    select.select([], [self._file], [])
                done += written or 0
        except OSError as error:
            return done, error
        return done, None


class Screen:
    """A terminal for Rich, which draws nothing more while nobody takes what was drawn before."""

    def __init__(self) -> None:
        self._lines = Lines(live=True, most=SCREEN_BYTES)
        self.encoding = sys.stdout.encoding

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):  # of a terminal that was closed
            self._lines.put_text(text, always=len(text) < FRAME)
        return len(text)

    def flush(self) -> None:
        """Its thread does."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return sys.stdout.fileno()

    def close(self) -> None:
        """Show the rest, if somebody looks."""
        with contextlib.suppress(OSError):
            self._lines.close(2 * END_S)
