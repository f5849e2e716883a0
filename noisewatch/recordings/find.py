"""Finds the recordings that command-line arguments name: files, folders and glob patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..decoding.decoders import READABLE
from ..decoding.suffixes import SUFFIXES
from .file_report import FileReport


def find(words: Sequence[str | os.PathLike[str]]) -> list[Path | FileReport]:
    """Each recording once, in the order of the arguments; a report with an `error` for one that matches none."""
    found: dict[str, Path | FileReport] = {}
    for word in (os.fspath(w) for w in words):
        problems: list[OSError] = []
        try:
            paths = _matches(word, problems.append)
            if not paths and not problems:
                folder = bool(word) and Path(word).is_dir()
                what = f"no recordings in the folder {word}" if folder else f"nothing matches {word!r}"
                found[word] = FileReport(word, error=f"{what}. Readable: {READABLE}.")
        except OSError as error:  # a name that is too long, or a parent folder without permission
            paths = []
            problems.append(error)
        for problem in problems:
            name = str(problem.filename or word)
            found[name] = FileReport(name, error=f"cannot read {name}: {problem.strerror}.")
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _matches(word: str, failed: Callable[[OSError], None]) -> list[Path]:
    if not word:
        return []
    path = Path(word)
    if path.is_dir():
        return _below(path, failed)
    if path.exists() or not glob.has_magic(word):
        return [path] if os.path.lexists(path) else []
    matches = [Path(p) for p in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207 - Path.glob takes no absolute pattern
    return [p for each in matches for p in (_below(each, failed) if each.is_dir() else [each])]


def _below(folder: Path, failed: Callable[[OSError], None]) -> list[Path]:
    """Recordings in a folder and its sub-folders; links are followed, and no folder is entered twice."""
    found, seen = [], set()
    for root, folders, files in os.walk(folder, onerror=failed, followlinks=True):
        key = os.path.realpath(root)
        if key in seen:  # a link to a parent
            folders.clear()
            continue
        seen.add(key)
        folders.sort()
        found += [Path(root, f) for f in sorted(files) if Path(f).suffix.lower() in SUFFIXES and f[0] != "."]
    return found
