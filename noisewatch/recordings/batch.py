"""Many recordings as one run that can be interrupted and resumed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import NoisewatchError, OutputError
from .file_report import FileReport
from .journal import Journal, absolute, journal_path
from .judge import Judge
from .progress import Engine, Reports, with_progress
from .results import Results


class Batch:
    """Judges each recording once: reports from the journal are reused, new ones are journaled as they are made."""

    def __init__(
        self,
        found: Sequence[Path | FileReport],
        judge: Judge,
        results: Results,
        *,
        out: Path | None = None,
        resume: bool = False,
        notify: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """found: as `find` returns it; out: folder for the journal; notify: prints a sentence to stderr.

        Without a folder there is a journal only with `resume`, in the user's cache.
        """
        self._found, self._judge, self._results, self._resume, self._notify = found, judge, results, resume, notify
        self._journal: Journal | None = None
        if out is not None or resume:
            try:
                self._journal = Journal(journal_path(out), resume=resume)
            except OutputError as error:
                self._lose_journal(error)
        self._files = [f for f in found if isinstance(f, Path)]
        self._reports = {f.path: [f] for f in found if isinstance(f, FileReport)}  # on each recording

    def run(self, engine: Engine) -> list[FileReport]:
        """Judge the recordings and write the results. Returns the reports, in the order of the recordings.

        If Ctrl-C, SIGTERM or a failing model stops it, writes the reports that it has and raises again.
        Raises OutputError if the journal to resume from cannot be read.
        """
        if self._resume and self._journal is not None:
            self._reuse(self._journal)
        for report in self._all():
            self._results.add(report)
        waiting = [f for f in self._files if str(f) not in self._reports]
        try:
            with contextlib.closing(
                with_progress(engine, waiting)
            ) as finished:  # ends the workers and the bar first
                for reports in finished:
                    self._take(reports)
        except (KeyboardInterrupt, SystemExit, NoisewatchError) as end:
            self._stop(end)
            raise
        in_order = [r for f in self._found for r in self._reports[str(f) if isinstance(f, Path) else f.path]]
        if self._journal is not None:
            try:
                self._journal.finish(in_order)
            except OutputError as error:
                self._lose_journal(error)
        self._results.finish(in_order)
        return in_order

    def _reuse(self, journal: Journal) -> None:
        """Take over the reports of the journal that still apply. Raises OutputError if it cannot be read."""
        known: dict[str, list[FileReport]] = {}
        for (path, _), report in journal.known().items():
            known.setdefault(path, []).append(report)
        if journal.damaged:
            self._notify(
                f"{journal.path} is damaged: {journal.damaged} of its lines cannot be read. It is renamed to "
                f"{journal.path.name}.damaged, and those recordings are judged again."
            )
        for file in self._files:
            reports = self._judge.chosen(r for r in known.get(absolute(file), []) if _unchanged(file, r))
            if reports is not None:
                self._reports[str(file)] = [replace(report, path=str(file)) for report in reports]

    def _take(self, reports: Reports) -> None:
        self._reports[reports[0].path] = reports
        for report in reports:
            if self._journal is not None:
                try:
                    self._journal.add(report)
                except OutputError as error:
                    self._lose_journal(error)
            self._results.add(report)

    def _all(self) -> list[FileReport]:
        return [report for reports in self._reports.values() for report in reports]

    def _lose_journal(self, error: OutputError) -> None:
        """Continue without the journal: the results can still be shown."""
        self._results.lost(error)
        if self._journal is not None:
            self._journal.close()
        self._journal = None

    def _stop(self, end: BaseException) -> None:
        if self._journal is not None:
            self._journal.close()
        if not isinstance(end, NoisewatchError):
            judged = len(self._reports) - (len(self._found) - len(self._files))
            how = "; continue with --resume" if self._journal else ""
            self._notify(f"stopped after {judged} of {len(self._files)} recordings{how}.")
        self._results.finish(self._all())


def _unchanged(path: Path, report: FileReport) -> bool:
    try:
        now = path.stat()
    except OSError:
        return False
    return (report.size, report.mtime_ns) == (now.st_size, now.st_mtime_ns)
