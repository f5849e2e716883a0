"""Lines for stdout that hold up nothing else, however slowly they are read."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque

LIVE_BYTES = 1 << 20  # that may wait to be read before a live input loses lines: some minutes
KEPT_BYTES = 64 << 20  # before a recording waits: hours
WHOLE = 4096  # bytes that a pipe takes as a whole or not at all (PIPE_BUF on Linux)
END_S = 0.3  # that an end which cannot wait leaves to whoever reads


class Lines:
    """Written by a thread of its own to the descriptor of stdout.

    What a live input has to say and nobody reads is lost and counted; a recording loses nothing, and waits once
    64 MiB are unread.
    """

    def __init__(self, *, live: bool) -> None:
        sys.stdout.flush()
        self.lost = 0
        self._waits = not live
        self._most = LIVE_BYTES if live else KEPT_BYTES
        self._file = sys.stdout.fileno()
        self._encoding, self._errors = sys.stdout.encoding, sys.stdout.errors or "strict"
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()  # the first `_taken` of them are being written
        self._taken = 0
        self._size = 0  # bytes
        self._ended = False
        self._error: OSError | None = None
        self._told = False
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, line: str) -> None:
        """A line without its newline. Raises OSError, once, when stdout does not take them any more."""
        data = f"{line}\n".encode(self._encoding, self._errors)
        with self._changed:
            while self._waits and self._size >= self._most and self._error is None:
                self._changed.wait()
            self._raise()
            if self._error is not None or self._size >= self._most:
                self.lost += 1
                return
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify_all()

    def hurry(self) -> None:
        """From now on nothing waits for the reader."""
        self._waits = False

    def close(self) -> None:
        """Wait for the reader, if only for a moment unless a recording ends by itself; count what is lost then.

        Raises OSError as `put` does.
        """
        deadline = None if self._waits else time.monotonic() + END_S
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            while self._waiting and self._error is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            self.lost += len(self._waiting)
            self._waiting.clear()
            self._raise()

    def _raise(self) -> None:
        if self._error is not None and not self._told:
            self._told = True
            raise self._error

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    return
                self._taken, size = 1, len(self._waiting[0])
                while self._taken < len(self._waiting) and size + len(self._waiting[self._taken]) <= WHOLE:
                    size += len(self._waiting[self._taken])
                    self._taken += 1
                data = b"".join(self._waiting[n] for n in range(self._taken))
            try:
                self._write(data)
            except OSError as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                for _ in range(min(self._taken, len(self._waiting))):
                    self._waiting.popleft()
                self._size -= size
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:  # whoever gave us stdout did not want to wait either
                select.select([], [self._file], [])
