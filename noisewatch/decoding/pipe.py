"""Reads bytes from a pipe, with lookahead. Reads block until bytes arrive."""

from __future__ import annotations

import math
import os
import select
import weakref
from collections.abc import Iterator

from ..errors import InputError

LOOK_S = 0.5  # how long one wait for bytes lasts


class Pipe:
    """A reader of a file descriptor, from its current position to its end."""

    def __init__(self, descriptor: int, name: str, *, owned: bool = False, patience_s: float | None = None) -> None:
        """name: for error messages. owned: close the descriptor with the last reference to this object.

        patience_s: time limit for the next bytes to arrive; None (and Windows) means no limit.
        """
        self._descriptor, self._name = descriptor, name
        self._patience_s = patience_s if os.name == "posix" else None
        if owned:
            weakref.finalize(self, os.close, descriptor)
        self._unread = b""
        self.received = 0  # bytes so far

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end. Raises InputError for a pipe that fails or times out."""
        return b"".join(self.chunks(size, size))

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them."""
        data = self.read(size)
        self.unread(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put bytes back in front of those still to come."""
        self._unread = data + self._unread

    def chunks(self, size: int, most: int | None = None) -> Iterator[bytes]:
        """Yield chunks of `size` bytes, up to `most` bytes; only the last is shorter. Raises as `read`."""
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
        """Return what is available, at most `size` bytes; b"" at the end."""
        if self._unread:
            part, self._unread = self._unread[:most], self._unread[most:]
            return part
        if self._patience_s is not None:
            # Count the waits: a clock would run on while the process is stopped.
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
    """The error for an input that cannot be opened, or read beyond `received` bytes."""
    where = f" beyond {received} bytes" if received else ""
    return InputError(f"cannot read {name}{where}: {error.strerror}. Check the source.")
