"""One function for each file, on more than one core or machine."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ..errors import NoisewatchError, UsageError
from .report import FileReport, Judge, Settings

CONNECT_S = 5.0  # that a Ray cluster may take to answer
POLL_S = 0.1  # between two looks at the progress
Progress = Callable[[float], None]  # told the bytes that are done

_judge: Judge
_done: Any  # multiprocessing.Value: bytes
_stop: Any  # multiprocessing.Event


class _Stopped(Exception):
    """The scan ends; nobody wants this report."""


def here(paths: Sequence[Path], judge: Judge, progress: Progress) -> Iterator[FileReport]:
    """Reports in order, made by this process."""
    done = 0.0
    for path in paths:
        size, before = bytes_of(path), done

        def heard(share: float, size: int = size, before: float = before) -> None:
            progress(before + size * min(share, 1.0))

        yield judge(path, heard)
        done += size
        progress(done)


def processes(paths: Sequence[Path], settings: Settings, progress: Progress, jobs: int) -> Iterator[FileReport]:
    """Reports as they are finished, made by `jobs` processes. One that dies takes only its own file along."""
    context = multiprocessing.get_context("spawn")  # a fork would copy threads that hold locks
    done, stop = context.Value("d", 0.0), context.Event()
    waiting, alone = deque(paths), deque[Path]()

    def pool(size: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(size, context, _begin, (settings, done, stop))

    executor, running = pool(jobs), dict[Future[FileReport], Path]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs and not alone:
                path = waiting.popleft()
                try:
                    running[executor.submit(_in_worker, path)] = path
                except BrokenProcessPool:  # by a file that is still counted as running
                    alone.append(path)
            reports = []
            for future in wait(running, POLL_S, FIRST_COMPLETED).done:
                path = running.pop(future)
                try:
                    reports.append(future.result())
                except BrokenProcessPool:
                    alone.append(path)  # this one or a neighbour: to be seen
            progress(done.value)
            yield from reports
            if alone and not running:
                executor.shutdown()
                for path in alone:
                    with pool(1) as single:
                        try:
                            report = single.submit(_in_worker, path).result()
                        except BrokenProcessPool:
                            report = _died(path)
                    yield report
                alone.clear()
                executor = pool(jobs)
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)


def ray_cluster(
    paths: Sequence[Path], settings: Settings, progress: Progress, address: str
) -> Iterator[FileReport]:
    """Reports as they are finished, made by tasks on a running Ray cluster that sees the same files."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError("--engine ray needs Ray. Install it in a clone: pip install '.[ray]'") from error
    try:
        host, _, port = address.rpartition(":")
        if port.isdigit() and "/" not in host:  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"no Ray cluster answers at {address!r} ({reason}). Start one with `ray start --head`, or name it "
            "with --address."
        ) from error
    try:
        task = ray.remote(num_cpus=1, max_retries=1)(judged)
        waiting, running, done = deque(paths), dict[Any, Path](), 0
        most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
        while waiting or running:
            while waiting and len(running) < most:
                path = waiting.popleft()
                running[task.remote(str(path.absolute()), str(path), settings)] = path
            finished, _ = ray.wait(list(running), timeout=1.0)
            for reference in finished:
                path = running.pop(reference)
                try:
                    report = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, NoisewatchError):
                        raise cause from None
                    report = FileReport(str(path), error=f"the cluster failed on {path}: {cause!r}.")
                except ray.exceptions.RayError:
                    report = _died(path)
                done += bytes_of(path)
                progress(done)
                yield report
    finally:
        ray.shutdown()


def judged(absolute: str, name: str, settings: Settings) -> FileReport:
    """The report of a file, on any machine: what a task of a cluster runs."""
    from dataclasses import replace

    return replace(_loaded(settings)(Path(absolute)), path=name)


@functools.lru_cache(maxsize=2)
def _loaded(settings: Settings) -> Judge:
    return Judge(settings)


def _begin(settings: Settings, done: Any, stop: Any) -> None:
    global _judge, _done, _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # reaches the whole group; the parent decides
    _judge, _done, _stop = Judge(settings), done, stop
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A parent that was killed can't tell its workers to end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(path: Path) -> FileReport:
    size, told = bytes_of(path), 0.0

    def heard(share: float) -> None:
        nonlocal told
        if _stop.is_set():
            raise _Stopped
        now = min(share, 1.0) * size
        if now - told >= size / 100:
            _advance(now - told)
            told = now

    report = _judge(path, heard)
    _advance(size - told)
    return report


def _advance(size: float) -> None:
    with _done.get_lock():
        _done.value += size


def _died(path: Path) -> FileReport:
    return FileReport(str(path), error=f"the process that read {path} died: out of memory, or a damaged file.")


def bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
