"""Lines on stdout. A slow reader holds up nothing else."""

from __future__ import annotations

import select
import sys
import threading
import time
from collections import deque
from typing import Any

LIVE_BYTES = 1 << 20  # of unread lines, a few minutes of them; beyond it, a live input loses lines
RECORDING_BYTES = 64 << 20  # of unread lines, hours of them; beyond it, a recording waits
ATOMIC_BYTES = 4096  # a pipe accepts this many at once or none (PIPE_BUF on Linux)
CLOSE_S = 0.3  # time that the reader gets at the end of a live input


class StdoutWriter:
    """Writes lines to stdout on its own thread.

    When the reader falls behind, a live input loses lines and counts them; a recording waits and loses none.
    """

    def __init__(self, *, live: bool, max_bytes: int | None = None) -> None:
        """max_bytes: of unread output, by default LIVE_BYTES or RECORDING_BYTES."""
        sys.stdout.flush()
        self.lost = 0  # lines
        self.error: OSError | None = None  # why stdout accepts no more lines
        self._blocking = not live
        self._max_bytes = max_bytes or (LIVE_BYTES if live else RECORDING_BYTES)
        # Not the buffered file: at exit, Python would wait for its lock.
        self._file: Any = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        self._encoding, self._errors = sys.stdout.encoding, sys.stdout.errors or "strict"
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._raised = False
        threading.Thread(target=self._run, daemon=True).start()

    def write_line(self, line: str) -> None:
        """Queue a line, given without its newline. Raises OSError, once, if stdout accepts no more lines."""
        self.write(f"{line}\n")

    def write(self, text: str, *, always: bool = False) -> None:
        """Queue text as it is; always: even beyond the limit. Raises OSError as `write_line` does."""
        data = text.encode(self._encoding, self._errors)
        with self._changed:
            while self._blocking and self._queued_bytes >= self._max_bytes and self.error is None:
                self._changed.wait()
            if self.error is not None or (self._queued_bytes >= self._max_bytes and not always):
                self.lost += 1
                self._raise_once()
                return
            self._queue.append(data)
            self._queued_bytes += len(data)
            self._changed.notify_all()

    def stop_blocking(self) -> None:
        """Never wait for the reader from now on, as for a live input."""
        self._blocking = False

    def drain(self, timeout_s: float) -> None:
        """Wait until everything queued is written; at most this long, s."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self.error is not None, timeout_s)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Wait for the reader, without a limit for a recording, and count the lines that it did not accept.

        Raises OSError as `write_line` does.
        """
        deadline = None if self._blocking else time.monotonic() + timeout_s
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._queue and self.error is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            self.lost += len(self._queue)
            self._queue.clear()
            self._raise_once()

    def _raise_once(self) -> None:
        if self.error is not None and not self._raised:
            self._raised = True
            raise self.error

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if not self._queue:
                    return
                count, size = 1, len(self._queue[0])
                while count < len(self._queue) and size + len(self._queue[count]) <= ATOMIC_BYTES:
                    size += len(self._queue[count])
                    count += 1
                data = b"".join(self._queue[n] for n in range(count))
            written, error = self._write(data)
            with self._changed:
                self.error = error
                while self._queue and len(self._queue[0]) <= written:  # the queue is empty after `close`
                    written -= len(self._queue.popleft())
                self._queued_bytes -= size
                self._changed.notify_all()
            if error is not None:
                return

    def _write(self, data: bytes) -> tuple[int, OSError | None]:
        """Write all bytes; returns their number, and the error that stopped it."""
        done = 0
        try:
            while done < len(data):
                written = self._file.write(data[done:])
                if written is None:  # stdout is in non-blocking mode
                    select.select([], [self._file], [])
                done += written or 0
        except OSError as error:
            return done, error
        return done, None
