"""Noises as other programs read them: Audacity labels, RTTM, Praat TextGrids, CSV."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import IO

from .errors import OutputError
from .events import label, label_line
from .recordings import FileReport, Segment
from .sinks import appended, atomic_write

# After the recording's own name; `talk.wav.txt` alone is what others call a transcript.
SUFFIXES = {"audacity": ".noise.txt", "rttm": ".noise.rttm", "textgrid": ".noise.TextGrid"}


def audacity(segments: Iterable[Segment]) -> str:
    """A label track: start, end and text, with tabs between."""
    return "".join(label_line(s.start, s.end, s.mean, s.snr_db) for s in segments)


def rttm(name: str, segments: Iterable[Segment]) -> str:
    """NIST RTTM, a "speaker" called noise: what the tools for diarisation read. Names have no spaces there."""
    file = re.sub(r"\s", "_", name) or "_"
    return "".join(
        f"SPEAKER {file} 1 {s.start:.3f} {s.end - s.start:.3f} <NA> <NA> noise {s.mean:.3f} <NA>\n"
        for s in segments
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
        text = rttm(Path(report.path).name, report.segments)
    else:
        text = textgrid(report.seconds, report.segments)
    with atomic_write(path) as file:
        file.write(text)


def write_csv(reports: Iterable[FileReport], file: IO[str]) -> None:
    """A row for each recording, names quoted where they need it."""
    names = [f.name for f in fields(FileReport)]
    names[names.index("warnings") : names.index("warnings")] = ["loudest_start", "loudest_dbfs"]
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(r.row() for r in reports)


class Journal:
    """The reports of a scan as JSON lines: each is there as soon as it is made, and found by the next scan.

    Lines go into PATH.part, `finish` writes all of them to PATH. A line that was cut off is not read.
    Paths are absolute, so that they hold from any folder. keep: what is there belongs to it.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        self.path, self._part = path, path.with_name(f"{path.name}.part")
        self._keep = keep
        self._file: IO[str] | None = None

    def known(self) -> dict[str, FileReport]:
        """Reports of before that have no error, by absolute path."""
        found = {}
        for path in (self.path, self._part):
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise OutputError(f"cannot read {path}, to go on from it: {error}. Leave out --resume.") from error
            for line in lines:
                try:
                    report = FileReport.from_json(line)
                except (ValueError, TypeError, KeyError, AttributeError):
                    continue
                if report.error is None:
                    found[report.path] = report
        return found

    def add(self, report: FileReport) -> None:
        """Append a line. Raises OutputError."""
        try:
            if self._file is None:
                if not self._keep:
                    self._part.unlink(missing_ok=True)
                self._file = appended(self._part)
            self._file.write(self._line(report))
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write {self._part}: {error.strerror}. Name another place with -o."
            ) from error

    def finish(self, reports: Iterable[FileReport]) -> None:
        """The whole result, in order, under its name."""
        self.close()
        with atomic_write(self.path) as file:
            file.writelines(map(self._line, reports))
        self._part.unlink(missing_ok=True)

    @staticmethod
    def _line(report: FileReport) -> str:
        path = os.path.abspath(report.path)  # noqa: PTH100 - keeps links
        return replace(report, path=path).json() + "\n"

    def close(self) -> None:
        """What was made stays in PATH.part."""
        if self._file is not None:
            self._file.close()
            self._file = None
