"""`scan`: folders of recordings, sorted by noise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import InputError, NoisewatchError, OutputError, UsageError, printable
from ..system.places import expanded, user_folder
from .base import OWN_THRESHOLD, answer_no, command, refuse_beside, refuse_without, say

if TYPE_CHECKING:
    from ..recordings.report import FileReport, Judge

RESULTS = "noisewatch"  # name of the result files in a folder


class Format(StrEnum):
    """How results are written."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"
    audacity = "audacity"
    rttm = "rttm"
    textgrid = "textgrid"


class Engine(StrEnum):
    """Where files are read."""

    local = "local"
    ray = "ray"


@command()
def scan(
    ctx: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Recordings, folders, or quoted patterns.")],
    form: Annotated[
        Format, typer.Option("--format", help="Result; the last three: labels for each recording.")
    ] = Format.table,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for results. Without it, labels go beside the recordings."),
    ] = None,
    max_noisy: Annotated[
        float | None,
        typer.Option(help="Exit with 3 when any file is noisy for more than this share of its time. See --strict."),
    ] = None,
    model: Annotated[str, typer.Option(help="Shipped model or an .onnx file.")] = DEFAULT,
    hop: Annotated[float, typer.Option(help="Seconds between readings.")] = 0.5,
    threshold: Annotated[
        float | None, typer.Option(help="Noise from this probability on.", show_default=OWN_THRESHOLD)
    ] = None,
    channel: Annotated[
        int | None, typer.Option(help="Channel, counted from 1.", show_default="mean of all")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    engine: Annotated[Engine, typer.Option(help="This machine, or a running Ray cluster.")] = Engine.local,
    address: Annotated[str, typer.Option(help="Address of the Ray cluster.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Remember what is done, and skip it.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 6 when not all can be judged.")] = False,
) -> None:
    """Judge recordings from beginning to end, the noisiest first."""
    from ..recordings.labels import Journal
    from ..recordings.report import Judge, Settings, find

    if max_noisy is not None and not 0 <= max_noisy <= 1:
        raise UsageError(f"--max-noisy is {max_noisy}; allowed: 0 to 1, a share of the time.")
    if engine is Engine.ray:
        refuse_beside(ctx, "engine", "jobs")  # a Ray cluster uses the cores that it has
    else:
        refuse_without(ctx, "--engine ray", "address")
    out = None if out is None else expanded(out)
    judge = Judge(Settings(model, hop, threshold, channel))  # what is wrong with them is said before all else
    found = find(paths)
    files = [f for f in found if isinstance(f, Path)]
    sink = _Results(form, out, files)
    journal = None
    if out is not None or resume:
        place = _journal(out)
        if place is None:
            sink.failed(OutputError(
                "this user has no home folder to remember a scan in. Set HOME or XDG_CACHE_HOME, or name a folder "
                "with -o."
            ))  # fmt: skip
        else:
            journal = Journal(place, keep=resume)
    known = journal.known() if journal and resume else {}
    if journal and journal.damaged:
        say(
            f"{journal.path} is damaged: {journal.damaged} of its lines cannot be read. It is set aside as "
            f"{journal.path.name}.damaged; these recordings are judged again."
        )
    reports = {f.path: f for f in found if not isinstance(f, Path)}
    for file in files:
        before = known.get(os.path.abspath(file))  # noqa: PTH100 - keeps links, as the journal does
        if before is not None and judge.fits(before) and _unchanged(file, before):
            reports[str(file)] = replace(before, path=str(file))
    waiting = [f for f in files if str(f) not in reports]
    for report in reports.values():
        sink.add(report)
    try:
        for report in _scanned(waiting, judge, engine, jobs, address, quiet=not files):
            reports[report.path] = report
            if journal is not None:
                try:
                    journal.add(report)
                except OutputError as error:  # what was found will be shown all the same
                    sink.failed(error)
                    journal.close()
                    journal = None
            sink.add(report)
    except (KeyboardInterrupt, SystemExit):
        if journal is not None:
            journal.close()
        made = len(reports) - (len(found) - len(files))
        how = "; go on with --resume" if journal else ""
        say(f"stopped after {made} of {len(files)} recordings{how}.")
        sink.finish(list(reports.values()))
        raise
    except NoisewatchError:  # a model that fails on this recording: the others were judged
        if journal is not None:
            journal.close()
        sink.finish(list(reports.values()))
        raise
    in_order = [reports[str(f) if isinstance(f, Path) else f.path] for f in found]
    if journal is not None:
        try:
            journal.finish(in_order)
        except OutputError as error:
            sink.failed(error)
            journal.close()
    sink.finish(in_order)
    if sink.unwritten:
        more = f" And {len(sink.unwritten) - 1} more." if len(sink.unwritten) > 1 else ""
        raise OutputError(f"{sink.unwritten[0]}{more}")
    _judge(in_order, max_noisy, strict)


def _journal(out: Path | None) -> Path | None:
    if out is not None:
        return out / f"{RESULTS}.jsonl"
    folder = user_folder("cache")
    return None if folder is None else folder / "scan.jsonl"


def _unchanged(path: Path, report: FileReport) -> bool:
    try:
        now = path.stat()
    except OSError:
        return False
    return (report.size, report.mtime_ns) == (now.st_size, now.st_mtime_ns)


def _scanned(
    files: Sequence[Path], judge: Judge, engine: Engine, jobs: int, address: str, *, quiet: bool
) -> Iterator[FileReport]:
    """Reports as they are made, under a progress bar on stderr."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..recordings import workers
    from ..ui import terminal

    console = terminal.console(stderr=True, emoji=False)
    size = sum(workers.bytes_of(f) for f in files)
    columns = (TextColumn("scanning"), BarColumn(), TextColumn("{task.percentage:3.0f}%"),
               TextColumn("{task.fields[files]} files  {task.fields[audio]}"), TimeRemainingColumn())  # fmt: skip
    quiet = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=max(1, size), files=f"0/{len(files)}", audio="")

        def advance(done: float) -> None:
            progress.update(task, completed=done)

        if engine is Engine.ray:
            made = workers.ray_cluster(files, judge.settings, advance, address)
        elif jobs > 1 and len(files) > 1:
            made = workers.processes(files, judge.settings, advance, min(jobs, len(files)))
        else:
            made = workers.here(files, judge, advance)
        seconds = 0.0
        for number, report in enumerate(made, 1):
            seconds += report.seconds
            elapsed = progress.tasks[0].elapsed or 0.0
            speed = f"  {seconds / elapsed:.0f} times real time" if elapsed > 1 else ""
            progress.update(task, files=f"{number}/{len(files)}", audio=f"{seconds / 3600:.1f} h{speed}")
            yield report


class _Results:
    """Writes what is asked for, where it is asked for."""

    def __init__(self, form: Format, out: Path | None, files: Sequence[Path]) -> None:
        self._form, self._out = form, out
        folders = [os.path.dirname(os.path.abspath(f)) for f in files]  # noqa: PTH100, PTH120 - without ..
        self._base = Path(os.path.commonpath(folders)) if files else Path()
        self.unwritten: list[OutputError] = []
        self._journal_lost = False

    def failed(self, error: OutputError) -> None:
        """Something cannot be stored: it is shown, and the command fails when it is done."""
        if not self.unwritten:
            say(f"{error} The results are shown here.")
        self.unwritten.append(error)
        self._journal_lost = True

    def add(self, report: FileReport) -> None:
        """A report is there."""
        if self._form is Format.jsonl and self._out is None:
            print(report.json(), flush=True)
        elif self._form in (Format.audacity, Format.rttm, Format.textgrid) and report.judged:
            from ..recordings.labels import SUFFIXES, write_labels

            path = Path(os.path.abspath(report.path))  # noqa: PTH100
            if self._out is not None:
                path = self._out / path.relative_to(self._base)
            try:
                write_labels(self._form, report, path.with_name(path.name + SUFFIXES[self._form]))
            except OutputError as error:
                self.unwritten.append(error)

    def finish(self, reports: Sequence[FileReport]) -> None:
        """All reports are there, or as many as there will be."""
        from ..ui.wording import explain, remarks

        if self._form is Format.csv:
            from ..recordings.labels import write_csv
            from ..system.files import atomic_write

            if self._out is None:
                write_csv(reports, sys.stdout)
            else:
                try:
                    with atomic_write(self._out / f"{RESULTS}.csv", newline="") as file:
                        write_csv(reports, file)
                except OutputError as error:
                    self.failed(error)
                    write_csv(reports, sys.stdout)
        elif self._form is Format.jsonl:
            if self._journal_lost and self._out is not None:
                print(*(r.json() for r in reports), sep="\n", flush=True)
        else:
            _print_table(reports)
        for report in reports:
            for sentence in remarks(report.path, report.warnings):
                say(sentence)
            if report.error is not None:
                say(report.error)
            elif not report.judged or report.unknown == 1:
                why = explain(report.reason, live=False) or "It holds no sound."
                say(f"{report.path} could not be judged. {why}")
        failed = [r for r in reports if r.error is not None or not r.judged]
        if failed and len(failed) < len(reports):
            say(_unjudged(failed, reports))


def _unjudged(failed: Sequence[FileReport], reports: Sequence[FileReport]) -> str:
    return f"{len(failed)} of {len(reports)} could not be judged, or not to the end."


def _print_table(reports: Sequence[FileReport]) -> None:
    from rich.table import Table

    from ..ui import terminal
    from ..ui.wording import clock, duration

    table = Table("recording", box=None, header_style="bold")
    for column in ("length", "noisy", "median SNR", "noises", "worst at", "not judged"):
        table.add_column(column, justify="right", no_wrap=True)
    shown = [r for r in reports if r.judged]
    for r in sorted(shown, key=lambda r: (-(r.noisy or 0), -(r.worst_noise or 0))):
        table.add_row(
            printable(r.path),
            duration(r.seconds),
            f"{r.noisy:.0%}",
            "-" if r.snr_median_db is None else f"{round(round(r.snr_median_db, 1))} dB",
            str(len(r.segments)),
            clock(r.worst_start) if r.segments and r.worst_start is not None else "-",
            f"{r.unknown:.0%}" if r.unknown else "",
        )
    if len(shown) > 1:
        seconds = sum(r.seconds for r in shown)
        noisy = sum((r.noisy or 0) * r.seconds * (1 - (r.unknown or 0)) for r in shown)
        judged = sum(r.seconds * (1 - (r.unknown or 0)) for r in shown)
        noises = sum(len(r.segments) for r in shown)
        table.add_section()
        table.add_row(f"{len(shown)} recordings", duration(seconds), f"{noisy / judged:.0%}", "", str(noises), "",
                      f"{1 - judged / seconds:.0%}" if judged < seconds else "", style="bold")  # fmt: skip
    if shown:
        console = terminal.console(emoji=False, highlight=False)
        if not console.is_terminal:
            console.width = 200
        console.print(table, markup=False)


def _judge(reports: Sequence[FileReport], max_noisy: float | None, strict: bool) -> None:
    """The exit code: 3 when the answer is no, 6 when there is no answer."""
    failed = [r for r in reports if r.error is not None or not r.judged]
    if max_noisy is not None:
        over = [r for r in reports if (r.noisy or 0) > max_noisy]
        if over:
            worst = max(over, key=lambda r: r.noisy or 0)
            answer_no(
                f"{len(over)} of {len(reports)} recordings {'is' if len(over) == 1 else 'are'} noisy for more than "
                f"{max_noisy:.0%} of the time; most: {worst.path}, {worst.noisy:.0%}."
            )
    if (failed and strict) or not any(r.judged for r in reports):
        raise InputError(_unjudged(failed, reports))
