"""The bytes of a pipe: the one place that waits for them, on a thread that may."""

from __future__ import annotations

import math
import os
import select
import weakref
from collections.abc import Iterator

from ..errors import InputError

LOOK_S = 0.5


class Pipe:
    """Reads a file descriptor from its present position to its end."""

    def __init__(self, descriptor: int, name: str, *, owned: bool = False, patience_s: float | None = None) -> None:
        """name: for sentences. owned: the descriptor is closed with the last reference to this.

        patience_s: how long to wait for the next bytes; for ever where None (and on Windows).
        """
        self._descriptor, self._name = descriptor, name
        self._patience_s = patience_s if os.name == "posix" else None
        if owned:
            weakref.finalize(self, os.close, descriptor)
        self._unread = b""
        self.received = 0  # bytes

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end. Raises InputError."""
        return b"".join(self.chunks(size, size))

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read."""
        data = self.read(size)
        self.unread(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put bytes back in front of what is still to come."""
        self._unread = data + self._unread

    def chunks(self, size: int, most: int | None = None) -> Iterator[bytes]:
        """Chunks of `size` bytes to the end or until `most` were given; only the last is shorter (InputError)."""
        left = most
        while left is None or left > 0:
            wanted = size if left is None else min(size, left)
            parts, got = [], 0
            while got < wanted:
                part = self._some(wanted - got)
                if not part:
                    break
                parts.append(part)
                got += len(part)
            if got:
                yield b"".join(parts)
            if got < wanted:
                return
            left = None if left is None else left - got

    def _some(self, most: int) -> bytes:
        """What is there, up to so many bytes; none at the end."""
        if self._unread:
            part, self._unread = self._unread[:most], self._unread[most:]
            return part
        if self._patience_s is not None:
            # Looks are counted, as the clock goes on while a process is stopped.
            for _ in range(math.ceil(self._patience_s / LOOK_S)):
                if select.select([self._descriptor], [], [], LOOK_S)[0]:
                    break
            else:
                raise InputError(f"{self._name} does not answer: it sent nothing for {self._patience_s:g} s.")
        try:
            part = os.read(self._descriptor, min(most, 1 << 20))
        except OSError as error:
            raise cannot_read(self._name, error, self.received) from error
        self.received += len(part)
        return part


def cannot_read(name: str, error: OSError, received: int = 0) -> InputError:
    """What to say of an input that cannot be opened, or read beyond so many bytes."""
    where = f" beyond {received} bytes" if received else ""
    return InputError(f"cannot read {name}{where}: {error.strerror}. Check where it comes from.")
