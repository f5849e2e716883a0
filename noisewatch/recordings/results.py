"""The results of a scan in the requested format: on stdout, in a folder, or beside the recordings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from ..errors import OutputError
from ..system.csv_writer import CsvWriter
from ..system.files import atomic_write
from ..ui.wording import explain, remarks
from .file_report import FileReport
from .journal import RESULTS, absolute
from .labels import SUFFIXES, write_labels
from .scan_config import Format
from .verdict import incomplete


class Results:
    """Writes reports in one format, and lists on stderr what could not be judged."""

    def __init__(
        self, form: Format, out: Path | None, found: Sequence[Path | FileReport], notify: Callable[[str], None]
    ) -> None:
        """out: folder for the results, or None; found: from `find`; notify: prints a sentence to stderr."""
        self._form, self._out, self._notify = form, out, notify
        folders = [os.path.dirname(absolute(f)) for f in found if isinstance(f, Path)]  # noqa: PTH120 - of text
        self._base = Path(os.path.commonpath(folders)) if folders else Path()
        self._unwritten: list[OutputError] = []
        self._lost = False  # a file that holds all reports could not be written

    def lost(self, error: OutputError) -> None:
        """The journal or the CSV cannot be written: show the reports on stdout instead, and fail at the end."""
        if not self._unwritten:
            self._notify(f"{error} The results are shown here.")
        self._unwritten.append(error)
        self._lost = True

    def add(self, report: FileReport) -> None:
        """Write what can be written as soon as a report is made: its JSON line or its labels."""
        if self._form is Format.jsonl and self._out is None:
            print(report.json(), flush=True)
        elif self._form in SUFFIXES and report.judged:
            path = Path(absolute(report.path))
            if self._out is not None:
                path = self._out / path.relative_to(self._base)
            try:
                whose = "" if report.channel is None else f".channel{report.channel}"
                write_labels(self._form, report, path.with_name(path.name + whose + SUFFIXES[self._form]))
            except OutputError as error:
                self._unwritten.append(error)

    def finish(self, reports: Sequence[FileReport]) -> None:
        """Write what needs all reports, and list those not judged. The scan may have been stopped early."""
        if self._form is Format.csv:
            self._finish_csv(reports)
        elif self._form is not Format.jsonl:
            from .table import print_table

            print_table(reports)
        elif self._lost and self._out is not None:
            print(*(r.json() for r in reports), sep="\n", flush=True)
        for sentence in dict.fromkeys(s for report in reports for s in _remarks(report)):  # once for all channels
            self._notify(sentence)
        summary = incomplete(reports)
        if summary and any(r.complete for r in reports):
            self._notify(summary)

    def check_written(self) -> None:
        """Raise OutputError if any result could not be written."""
        if self._unwritten:
            more = f" And {len(self._unwritten) - 1} more." if len(self._unwritten) > 1 else ""
            raise OutputError(f"{self._unwritten[0]}{more}")

    def _finish_csv(self, reports: Sequence[FileReport]) -> None:
        if self._out is not None:
            try:
                with atomic_write(self._out / f"{RESULTS}.csv", newline="") as file:
                    _write_csv(reports, file)
                return
            except OutputError as error:
                self.lost(error)
        _write_csv(reports, sys.stdout)


def _write_csv(reports: Iterable[FileReport], file: IO[str]) -> None:
    """Write one row per recording, with a header."""
    table = CsvWriter(file, list(FileReport("").row()))
    table.header()
    for report in reports:
        table.row(report.row())


def _remarks(report: FileReport) -> Iterable[str]:
    """Sentences on a recording that is unusual, damaged or impossible to judge."""
    yield from remarks(report.path, report.warnings)
    if report.error is not None:
        yield report.error
    elif not report.judged or report.unknown == 1:
        why = explain(report.reason, live=False) or "The recording holds no sound."
        yield f"{report.title} could not be judged. {why}"
