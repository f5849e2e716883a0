"""Files that are either complete or absent, and the unfinished parts that killed processes leave behind."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..errors import OutputError
from .locks import is_same_file, try_lock

_RANDOM = r"[a-z0-9_]{8}"  # the random part of a name that tempfile generates
_cleaned: set[Path] = set()  # folders that this process has cleaned
_umask = os.umask(0o077)
os.umask(_umask)


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "w", newline: str | None = None) -> Iterator[IO[Any]]:
    """Open a file for writing that gets its name once it is complete, or never exists.

    Creates missing parent folders. Raises OutputError if the file cannot be written.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        remove_abandoned(path.parent)
        handle, part = create_part(path.parent, ".noisewatch")
        text: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}  # file names may not be UTF-8
        with os.fdopen(handle, mode, newline=newline, **({} if "b" in mode else text)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.chmod(0o666 & ~_umask)
            if sys.platform != "win32":  # while it is locked: no other process may take it for abandoned
                part.replace(path)
                part = None
        if part is not None:  # Windows cannot rename an open file
            part.replace(path)
            part = None
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Choose another path with -o, or free this one."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left of `atomic_write`. Looks only once per folder, as it may be large."""
    if folder not in _cleaned:
        _cleaned.add(folder)
        for part in abandoned_parts(folder, r"\.noisewatch"):
            with contextlib.suppress(OSError):
                part.unlink()


def create_part(folder: Path, name: str) -> tuple[int, Path]:
    """Create NAME.xxxxxxxx.part, private to this user and locked. Returns its descriptor, which holds the lock.

    Raises OSError.
    """
    while True:
        handle, path = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=folder)
        with contextlib.suppress(OSError):  # on a file system without locks, no part is taken for abandoned
            if not try_lock(handle) or not is_same_file(handle, Path(path)):  # removed as abandoned just now
                os.close(handle)
                continue
        return handle, Path(path)


def find_parts(folder: Path, name: str) -> list[Path]:
    """All parts of this user in a folder, oldest first; name: a regular expression."""
    pattern = re.compile(rf"{name}\.{_RANDOM}\.part")
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                ours = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
                if pattern.fullmatch(entry.name) and stat.S_ISREG(status.st_mode) and ours:
                    found.append((status.st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found)]


def abandoned_parts(folder: Path, name: str) -> Iterator[Path]:
    """The parts whose process has ended; each is locked while the caller handles it (not on Windows)."""
    for path in find_parts(folder, name):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                ours = try_lock(descriptor) and is_same_file(descriptor, path)
                if ours and sys.platform != "win32":  # where a locked file can be neither read nor removed
                    yield path
            finally:
                os.close(descriptor)
            if ours and sys.platform == "win32":
                yield path
