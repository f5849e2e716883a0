"""Where results go."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import OutputError
from .locks import claim, is_at

_RANDOM = r"[a-z0-9_]{8}"  # as tempfile makes them
_swept: set[Path] = set()  # folders in which this process has removed what others left
_umask = os.umask(0o077)
os.umask(_umask)


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "w", newline: str | None = None) -> Iterator[IO[Any]]:
    """A file that appears under its name when complete, or not at all.

    Creates the folders above it. Raises OutputError when the place cannot be written.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        sweep(path.parent)
        handle, part = begun(path.parent, ".noisewatch")
        text: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}  # names need not be text
        with os.fdopen(handle, mode, newline=newline, **({} if "b" in mode else text)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.chmod(0o666 & ~_umask)
            if sys.platform != "win32":  # while it is held: nobody may take it for abandoned
                part.replace(path)
                part = None
        if part is not None:  # where an open file cannot be renamed
            part.replace(path)
            part = None
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Name another place with -o, or free this one."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left in a folder: once, as it may be large."""
    if folder not in _swept:
        _swept.add(folder)
        for left in abandoned(folder, r"\.noisewatch"):
            with contextlib.suppress(OSError):
                left.unlink()


def begun(folder: Path, name: str) -> tuple[int, Path]:
    """A new file NAME.xxxxxxxx.part for this user alone: its descriptor, which holds it, and its path.

    Raises OSError.
    """
    while True:
        handle, path = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=folder)
        with contextlib.suppress(OSError):  # without locks nobody takes it for abandoned either
            if not claim(handle) or not is_at(handle, Path(path)):  # just removed
                os.close(handle)
                continue
        return handle, Path(path)


def parts(folder: Path, name: str) -> list[Path]:
    """All files that `begun` made under a name, which is a regular expression here, in the order of their age."""
    pattern = re.compile(rf"{name}\.{_RANDOM}\.part")
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                ours = not hasattr(os, "geteuid") or about.st_uid == os.geteuid()
                if pattern.fullmatch(entry.name) and stat.S_ISREG(about.st_mode) and ours:
                    found.append((about.st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found)]


def abandoned(folder: Path, name: str) -> Iterator[Path]:
    """Those of `parts` whose process is gone; each is held while the caller looks at it."""
    for path in parts(folder, name):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                mine = claim(descriptor) and is_at(descriptor, path)
                if mine and sys.platform != "win32":  # where an open file can be neither read nor removed
                    yield path
            finally:
                os.close(descriptor)
            if mine and sys.platform == "win32":
                yield path


class Rows:
    """Rows of csv that a spreadsheet shows and does not run: the writer of every csv of ours."""

    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._columns = columns
        self._writer = csv.writer(file, lineterminator="\n")
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def header(self) -> None:
        self._writer.writerow(self._columns)

    def row(self, values: Mapping[str, Any]) -> None:
        """Values by column; others are left out."""
        cells = [harmless(values.get(c), path=c == "path") for c in self._columns]
        # csv leaves a lone carriage return bare, which ends a row in other programs.
        bare = any(isinstance(c, str) and "\r" in c for c in cells)
        (self._quoting if bare else self._writer).writerow(cells)


def harmless(cell: Any, *, path: bool = False) -> Any:
    """A cell that no spreadsheet takes for a formula: `=x` becomes `'=x`, and the path `=x` becomes `./=x`."""
    if not isinstance(cell, str) or cell[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return cell
    return os.path.join(".", cell) if path else f"'{cell}"  # noqa: PTH118 - Path takes the dot away
