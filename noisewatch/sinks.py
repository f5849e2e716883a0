"""Where results go."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import OutputError


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "w", newline: str | None = None) -> Iterator[IO[Any]]:
    """A file that appears under its name when complete, or not at all.

    Creates the folders above it. Raises OutputError when the place cannot be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        text: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}  # names need not be text
        handle, temporary = tempfile.mkstemp(prefix=".noisewatch.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, mode, newline=newline, **({} if "b" in mode else text)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Name another place with -o, or free this one."
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def appended(path: Path, header: str = "") -> IO[str]:
    """A text file opened to append lines, with the folders above it; an empty one gets the header first.

    A last line that was torn off when something was killed stays alone. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    before = b""
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            before = file.read(1)
    lines = path.open("a", encoding="utf-8", newline="", errors="surrogateescape")
    lines.write(header if not before else "" if before == b"\n" else "\n")
    return lines


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
