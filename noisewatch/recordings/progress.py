"""The progress bar of a scan, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from .file_report import FileReport

Progress = Callable[[float], None]  # called with the number of bytes done
Reports = list[FileReport]  # on one recording
Engine = Callable[[Sequence[Path], Progress], Iterator[Reports]]


def with_progress(engine: Engine, paths: Sequence[Path]) -> Generator[Reports, None, None]:
    """Yield the reports of an engine under a progress bar."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from ..ui import terminal
    from ..ui.progress import ProgressBar

    console = terminal.console(stderr=True, emoji=False)
    size = sum(map(bytes_of, paths))
    columns = (TextColumn("scanning"), BarColumn(), TextColumn("{task.percentage:3.0f}%"),
               TextColumn("{task.fields[files]} files  {task.fields[audio]}"), TimeRemainingColumn())  # fmt: skip
    with ProgressBar(*columns, console=console, shown=bool(paths)) as bar:
        task = bar.add_task("", total=max(1, size), files=f"0/{len(paths)}", audio="")
        seconds = 0.0
        for number, reports in enumerate(engine(paths, lambda done: bar.update(task, completed=done)), 1):
            seconds += sum(report.seconds for report in reports)
            elapsed = bar.tasks[0].elapsed or 0.0
            speed = f"  {seconds / elapsed:.0f} times real time" if elapsed > 1 else ""
            bar.update(task, files=f"{number}/{len(paths)}", audio=f"{seconds / 3600:.1f} h{speed}")
            yield reports


def bytes_of(path: Path) -> int:
    """The size of a file; 0 if it cannot be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
