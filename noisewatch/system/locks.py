"""Files that more than one process wants: whose they are, on Linux, macOS and Windows."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import OutputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PATIENCE_S = 5.0  # for another process that changes the same file
_POLL_S = 0.02
_FAR = 1 << 30  # Windows locks ranges of bytes, and nobody else may read them


def claim(descriptor: int) -> bool:
    """Take an open file until it is closed, if only by the end of the process; False: another has it.

    Raises OSError where the file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with a file among the processes that ask; what was read before has to be read again.

    The lock is a file beside it that is gone afterwards. Raises OutputError when another process keeps it for
    5 s, OSError where its folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + PATIENCE_S
    while (descriptor := _taken(lock)) is None:
        if time.monotonic() > deadline:
            raise OutputError(
                f"cannot write {path}: another process has been at it for {PATIENCE_S:.0f} s. Try again."
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        if sys.platform == "win32":  # where an open file cannot be removed
            os.close(descriptor)
            with contextlib.suppress(OSError):
                lock.unlink()
        else:
            lock.unlink(missing_ok=True)
            os.close(descriptor)


def _taken(lock: Path) -> int | None:
    """The descriptor of the lock, which is ours; None when another has it, or just removed it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(lock, flags, 0o666)
    except PermissionError:
        if sys.platform == "win32" or os.path.lexists(lock):  # it is being removed; another user has it
            return None
        raise
    with contextlib.suppress(OSError):  # no locks on this file system: go on without, as it always did
        if not claim(descriptor) or not is_at(descriptor, lock):
            os.close(descriptor)
            return None
    return descriptor


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file still goes by this name."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
