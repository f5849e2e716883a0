"""The base of all sinks that append lines to a file."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from .sink import SessionInfo, Sink


class AppendingSink(Sink):
    """Appends lines to a file, each written to the operating system before the next.

    If the file is renamed or removed during the session, as log rotation does, a new file is started there.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._file: io.FileIO | None = None
        self._torn = False  # the last line of the file is incomplete
        self._session: SessionInfo | None = None

    def open(self, session: SessionInfo) -> None:
        self._session = session
        self._reopen()
        assert self._file is not None
        try:
            self._file.write(b"")  # /dev/full refuses even this
            if _disk_full(self._file.fileno()):  # an empty write to a file on a full disk succeeds
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.close()
            raise

    def heading(self, session: SessionInfo, *, empty: bool, reopened: bool) -> str:
        """Lines to write when the file is opened; reopened: during a session, after a rotation."""
        return ""

    def write(self, line: str) -> None:
        """Append a line, given with its newline. Raises OSError."""
        if self._file is None or self._rotated(self._file):
            self._reopen()
        self._write(line)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _rotated(self, file: io.FileIO) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True

    def _reopen(self) -> None:
        reopened = self._file is not None
        self.close()
        self._file = None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        last_byte = b""
        if self._path.is_file() and self._path.stat().st_size:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                last_byte = file.read()
        self._file = open(self._path, "ab", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
        self._torn = last_byte not in (b"", b"\n")  # an earlier writer was killed in the middle of a line
        if self._session is not None:
            heading = self.heading(self._session, empty=not last_byte, reopened=reopened)
            if heading:
                self._write(heading)

    def _write(self, text: str) -> None:
        assert self._file is not None
        data = ("\n" if self._torn else "").encode() + text.encode(errors="surrogateescape")
        written = self._file.write(data)
        self._torn = written != len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_without_waiting(path: str, flags: int) -> int:
    """An opener that refuses a named pipe without a reader, instead of waiting for one. Raises OSError."""
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "this named pipe has no reader") from error
        raise
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(descriptor, True)
    return descriptor


def _disk_full(descriptor: int) -> bool:
    """Whether the file system of an open file has no space left for this user."""
    if not hasattr(os, "fstatvfs") or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    disk = os.fstatvfs(descriptor)
    return disk.f_blocks > 0 and not (disk.f_bavail if os.geteuid() else disk.f_bfree)
