"""The reports of a scan as JSON lines on disk: an interrupted scan loses none, and the next one can resume."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from ..errors import OutputError
from ..system.files import abandoned_parts, atomic_write, create_part, find_parts
from ..system.locks import locked
from ..system.paths import read_regular_file, user_folder
from .file_report import FileReport

RESULTS = "noisewatch"  # stem of the result files in an output folder

Key = tuple[str, int | None]  # absolute path, and channel


def journal_path(out: Path | None) -> Path:
    """The journal in the output folder, or in the user's cache. Raises OutputError without a home folder."""
    if out is not None:
        return out / f"{RESULTS}.jsonl"
    folder = user_folder("cache")
    if folder is None:
        raise OutputError(
            "cannot store the journal of the scan: this user has no home folder. Set HOME or XDG_CACHE_HOME, or "
            "name a folder with -o."
        )
    return folder / "scan.jsonl"


class Journal:
    """One scan's reports, each on disk as soon as it is made.

    Lines are appended to PATH.xxxxxxxx.part, one part for each running scan; `finish` merges them into PATH. Torn
    lines are ignored. Paths are stored absolute, so that a scan can be resumed from any folder. resume: keep the
    reports that are there, and those that other scans add in the meantime.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._resume = resume
        self._parts = re.escape(path.name)
        self._file: IO[str] | None = None
        self._part: Path | None = None
        self.damaged = 0  # unreadable lines of PATH

    def known(self) -> dict[Key, FileReport]:
        """Earlier reports without an error. Raises OutputError."""
        found, self.damaged = self._read(self.path)
        for part in find_parts(self.path.parent, self._parts):
            found |= self._read(part)[0]  # its last line may be torn, which is not damage
        return found

    def _read(self, path: Path) -> tuple[dict[Key, FileReport], int]:
        try:
            lines = read_regular_file(path).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return {}, 0
        except OSError as error:
            raise OutputError(f"cannot read {path} to resume from it: {error.strerror}. Omit --resume.") from error
        found, damaged = {}, 0
        for line in lines:
            try:
                report = FileReport.from_json(line)
            except (ValueError, TypeError, KeyError, AttributeError):
                damaged += 1
                continue
            if report.error is None:
                found[report.path, report.channel] = report
        return found, damaged

    def add(self, report: FileReport) -> None:
        """Append a line. Raises OutputError."""
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if not self._resume:
                    self._remove_abandoned()
                handle, self._part = create_part(self.path.parent, self.path.name)
                self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")
            self._file.write(_line(report))
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self, reports: Sequence[FileReport]) -> None:
        """Write PATH: the reports of other scans that still apply, then these. Raises OutputError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path):
                others = self.known() if self._resume else {}
                mine = {absolute(r.path) for r in reports}
                others = {k: r for k, r in others.items() if k[0] not in mine and os.path.exists(k[0])}  # noqa: PTH110 - any text
                if self.damaged:
                    self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
                with atomic_write(self.path) as file:
                    file.writelines(map(_line, [*others.values(), *reports]))
                self.close()
                if self._part is not None:
                    self._part.unlink(missing_ok=True)
                self._remove_abandoned()
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Stop appending. The part stays, for the next scan to resume from."""
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):  # the buffer that a full disk did not take
                file.close()

    def _remove_abandoned(self) -> None:
        for part in abandoned_parts(self.path.parent, self._parts):
            with contextlib.suppress(OSError):
                part.unlink()

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.path}: {error.strerror or error}. Name another folder with -o.")


def absolute(path: str | Path) -> str:
    """The key of a recording in the journal: absolute, with links as they are."""
    return os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow links


def _line(report: FileReport) -> str:
    return replace(report, path=absolute(report.path)).json() + "\n"
