"""Noises as other programs read them: Audacity labels, RTTM, Praat TextGrids, CSV."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import IO

from ..core.events import label, label_line
from ..errors import OutputError
from ..system.files import Rows, abandoned, atomic_write, begun, parts
from ..system.locks import locked
from ..system.places import contents
from .report import FileReport, Segment

# After the recording's own name; `talk.wav.txt` alone is what others call a transcript.
SUFFIXES = {"audacity": ".noise.txt", "rttm": ".noise.rttm", "textgrid": ".noise.TextGrid"}


def audacity(segments: Iterable[Segment]) -> str:
    """A label track: start, end and text, with tabs between."""
    return "".join(label_line(s.start, s.end, s.mean, s.snr_db) for s in segments)


def rttm(name: str, segments: Iterable[Segment]) -> str:
    """NIST RTTM objects of type NON-SPEECH, subtype noise. A file ID has no spaces."""
    file = re.sub(r"\s", "_", name) or "_"
    return "".join(
        f"NON-SPEECH {file} 1 {s.start:.3f} {s.end - s.start:.3f} <NA> noise <NA> <NA> <NA>\n" for s in segments
    )


def textgrid(seconds: float, segments: Sequence[Segment]) -> str:
    """A Praat TextGrid: one tier from 0 to the end, empty between the noises."""
    intervals: list[tuple[float, float, str]] = []
    at = 0.0
    for s in segments:
        start, end = max(at, s.start), min(s.end, seconds)
        if end <= start:
            continue
        if start > at:
            intervals.append((at, start, ""))
        intervals.append((start, end, label(s.mean, s.snr_db)))
        at = end
    if at < seconds or not intervals:
        intervals.append((at, seconds, ""))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {seconds:.3f}",
             "tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"',
             '        name = "noise"', "        xmin = 0", f"        xmax = {seconds:.3f}",
             f"        intervals: size = {len(intervals)}"]  # fmt: skip
    for number, (start, end, text) in enumerate(intervals, 1):
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start:.3f}",
            f"            xmax = {end:.3f}",
            f'            text = "{text}"',
        ]
    return "\n".join(lines) + "\n"


def write_labels(kind: str, report: FileReport, path: Path) -> None:
    """The labels of a recording as a file. Raises OutputError."""
    if kind == "audacity":
        text = audacity(report.segments)
    elif kind == "rttm":
        text = rttm(Path(report.path).stem, report.segments)
    else:
        text = textgrid(report.seconds, report.segments)
    with atomic_write(path) as file:
        file.write(text)


def write_csv(reports: Iterable[FileReport], file: IO[str]) -> None:
    """A row for each recording, names quoted where they need it."""
    names = [f.name for f in fields(FileReport)]
    names[names.index("warnings") : names.index("warnings")] = ["loudest_start", "loudest_dbfs"]
    table = Rows(file, names)
    table.header()
    for report in reports:
        table.row(report.row())


class Journal:
    """The reports of a scan as JSON lines: each is there as soon as it is made, and found by the next scan.

    Lines go into PATH.xxxxxxxx.part, one for each scan that runs; `finish` writes all of them to PATH. A line that
    was cut off is not read. Paths are absolute, so that they hold from any folder. keep: what is there belongs to
    it, with what other scans add meanwhile.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        self.path = path
        self._keep = keep
        self._parts = re.escape(path.name)
        self._file: IO[str] | None = None
        self._part: Path | None = None
        self.damaged = 0  # lines of PATH that could not be read

    def known(self) -> dict[str, FileReport]:
        """Reports of before that have no error, by absolute path. Raises OutputError."""
        found, self.damaged = self._read(self.path)
        for part in parts(self.path.parent, self._parts):
            found |= self._read(part)[0]  # its last line may be torn, which is no damage
        return found

    def _read(self, path: Path) -> tuple[dict[str, FileReport], int]:
        try:
            lines = contents(path).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return {}, 0
        except OSError as error:
            raise OutputError(
                f"cannot read {path}, to go on from it: {error.strerror}. Leave out --resume."
            ) from error
        found, damaged = {}, 0
        for line in lines:
            try:
                report = FileReport.from_json(line)
            except (ValueError, TypeError, KeyError, AttributeError):
                damaged += 1
                continue
            if report.error is None:
                found[report.path] = report
        return found, damaged

    def add(self, report: FileReport) -> None:
        """Append a line. Raises OutputError."""
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if not self._keep:
                    self._remove_abandoned()
                handle, self._part = begun(self.path.parent, self.path.name)
                self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")
            self._file.write(self._line(report))
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}. Name another place with -o."
            ) from error

    def finish(self, reports: Sequence[FileReport]) -> None:
        """The whole result under its name: what other scans found, then these. Raises OutputError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path):
                others = self.known() if self._keep else {}
                mine = {_absolute(r.path) for r in reports}
                kept = [r for p, r in others.items() if p not in mine and os.path.exists(p)]  # noqa: PTH110 - of any text
                if self.damaged:
                    self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
                with atomic_write(self.path) as file:
                    file.writelines(map(self._line, [*kept, *reports]))
                self.close()
                if self._part is not None:
                    self._part.unlink(missing_ok=True)
                self._remove_abandoned()
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}. Name another place with -o."
            ) from error

    def _remove_abandoned(self) -> None:
        for part in abandoned(self.path.parent, self._parts):
            with contextlib.suppress(OSError):
                part.unlink()

    @staticmethod
    def _line(report: FileReport) -> str:
        return replace(report, path=_absolute(report.path)).json() + "\n"

    def close(self) -> None:
        """What was made stays in its part."""
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):  # what a full disk did not take
                file.close()


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - keeps links
