"""Recordings judged by several processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ..system.parent import exit_with_parent
from .file_report import FileReport
from .judge import Judge
from .progress import Progress, Reports, bytes_of
from .scan_config import ScanConfig

POLL_S = 0.1  # interval at which progress is reported

_judge: Judge
_done: Any  # multiprocessing.Value: bytes
_stop: Any  # multiprocessing.Event


class _Stopped(Exception):
    """The scan was stopped, and this report is no longer wanted."""


def processes(paths: Sequence[Path], config: ScanConfig, progress: Progress, jobs: int) -> Iterator[Reports]:
    """Yield the reports on each recording as they are finished, made by `jobs` processes.

    A process that dies costs only its own file.
    """
    context = multiprocessing.get_context("spawn")  # fork would copy locks that other threads hold
    done, stop = context.Value("d", 0.0), context.Event()
    waiting, alone = deque(paths), deque[Path]()

    def pool(size: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(size, context, _begin, (config, done, stop))

    executor, running = pool(jobs), dict[Future[Reports], Path]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs and not alone:
                path = waiting.popleft()
                try:
                    running[executor.submit(_in_worker, path)] = path
                except BrokenProcessPool:  # broken by a file that is still in `running`
                    alone.append(path)
            finished = []
            for future in wait(running, POLL_S, FIRST_COMPLETED).done:
                path = running.pop(future)
                try:
                    finished.append(future.result())
                except BrokenProcessPool:
                    alone.append(path)  # this file or a neighbour is to blame: run each alone
            progress(done.value)
            yield from finished
            if alone and not running:
                executor.shutdown()
                for path in alone:
                    with pool(1) as single:
                        try:
                            reports = single.submit(_in_worker, path).result()
                        except BrokenProcessPool:
                            reports = [died(path)]
                    yield reports
                alone.clear()
                executor = pool(jobs)
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)


def died(path: Path) -> FileReport:
    """The report of a file whose process died."""
    return FileReport(
        str(path), error=f"the process that read {path} died: it ran out of memory, or the file is damaged."
    )


def _begin(config: ScanConfig, done: Any, stop: Any) -> None:
    global _judge, _done, _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    _judge, _done, _stop = Judge(config), done, stop
    exit_with_parent()


def _in_worker(path: Path) -> Reports:
    size, reported = bytes_of(path), 0.0

    def advance(share: float) -> None:
        nonlocal reported
        if _stop.is_set():
            raise _Stopped
        now = min(share, 1.0) * size
        if now - reported >= size / 100:
            _advance(now - reported)
            reported = now

    reports = _judge(path, advance)
    _advance(size - reported)
    return reports


def _advance(size: float) -> None:
    with _done.get_lock():
        _done.value += size
