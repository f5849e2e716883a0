"""File locks between processes, on Linux, macOS and Windows."""

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

TIMEOUT_S = 5.0  # time to wait for another process to release a file
_POLL_S = 0.02
_BEYOND_END = 1 << 30  # Windows locks a range of bytes, which no other process can then read


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or the process ends; False if another process holds the lock.

    Raises OSError on a file system without locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _BEYOND_END, os.SEEK_SET)
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
    """Exclude other processes that lock the same path. Anything read from it before must be read again.

    The lock is a file beside it, which is removed afterwards. Raises OutputError if another process holds it for
    TIMEOUT_S, OSError if the folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + TIMEOUT_S
    while (descriptor := _acquire(lock)) is None:
        if time.monotonic() > deadline:
            raise OutputError(
                f"cannot write {path}: another process has had it locked for {TIMEOUT_S:.0f} s. Try again."
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        if sys.platform == "win32":  # which cannot remove an open file
            os.close(descriptor)
            with contextlib.suppress(OSError):
                lock.unlink()
        else:
            lock.unlink(missing_ok=True)
            os.close(descriptor)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to this open file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), status)


def _acquire(lock: Path) -> int | None:
    """The descriptor of the lock file, locked; None if another process holds it or has just removed it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(lock, flags, 0o666)
    except PermissionError:
        if sys.platform == "win32" or os.path.lexists(lock):  # being removed, or another user's
            return None
        raise
    with contextlib.suppress(OSError):  # a file system without locks: continue unprotected
        if not try_lock(descriptor) or not is_same_file(descriptor, lock):
            os.close(descriptor)
            return None
    return descriptor
