"""Many recordings as one run that can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import NoisewatchError, OutputError
from .file_report import FileReport
from .journal import Journal, absolute
from .judge import Judge
from .progress import with_progress
from .results import Results
from .workers import Engine


class Batch:
    """Judges each recording once: reports from the journal are reused, new ones are journaled as they are made."""

    def __init__(
        self,
        found: Sequence[Path | FileReport],
        judge: Judge,
        results: Results,
        *,
        journal: Journal | None = None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """found: as `find` returns it; say: prints a sentence to stderr."""
        self._found, self._judge, self._results, self._journal, self._say = found, judge, results, journal, say
        self._files = [f for f in found if isinstance(f, Path)]
        self._reports = {f.path: f for f in found if isinstance(f, FileReport)}

    def resume(self) -> None:
        """Take over the reports of the journal that still apply. Raises OutputError where it cannot be read."""
        if self._journal is None:
            return
        known = self._journal.known()
        if self._journal.damaged:
            name = self._journal.path.name
            self._say(
                f"{self._journal.path} is damaged: {self._journal.damaged} of its lines cannot be read. It is "
                f"renamed to {name}.damaged, and those recordings are judged again."
            )
        for file in self._files:
            report = known.get(absolute(file))
            if report is not None and self._judge.made(report) and _unchanged(file, report):
                self._reports[str(file)] = replace(report, path=str(file))

    def run(self, engine: Engine) -> list[FileReport]:
        """Judge the rest and write all results. Returns the reports in the order in which they were found.

        When stopped by Ctrl-C or SIGTERM, or by a model that fails on a recording, it writes what there is and
        raises again.
        """
        for report in self._reports.values():
            self._results.add(report)
        waiting = [f for f in self._files if str(f) not in self._reports]
        try:
            for report in with_progress(engine, waiting):
                self._take(report)
        except (KeyboardInterrupt, SystemExit, NoisewatchError) as end:
            self._stop(end)
            raise
        reports = [self._reports[str(f) if isinstance(f, Path) else f.path] for f in self._found]
        if self._journal is not None:
            try:
                self._journal.finish(reports)
            except OutputError as error:
                self._lose_journal(error)
        self._results.finish(reports)
        return reports

    def _take(self, report: FileReport) -> None:
        self._reports[report.path] = report
        if self._journal is not None:
            try:
                self._journal.add(report)
            except OutputError as error:
                self._lose_journal(error)
        self._results.add(report)

    def _lose_journal(self, error: OutputError) -> None:
        """Go on without the journal: the results can still be shown."""
        self._results.lost(error)
        if self._journal is not None:
            self._journal.close()
        self._journal = None

    def _stop(self, end: BaseException) -> None:
        if self._journal is not None:
            self._journal.close()
        if not isinstance(end, NoisewatchError):
            made = len(self._reports) - (len(self._found) - len(self._files))
            how = "; continue with --resume" if self._journal else ""
            self._say(f"stopped after {made} of {len(self._files)} recordings{how}.")
        self._results.finish(list(self._reports.values()))


def _unchanged(path: Path, report: FileReport) -> bool:
    try:
        now = path.stat()
    except OSError:
        return False
    return (report.size, report.mtime_ns) == (now.st_size, now.st_mtime_ns)
