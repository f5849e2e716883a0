"""Where recordings are judged: in this process, in several processes, or on a Ray cluster."""

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
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import NoisewatchError, UsageError
from .file_report import FileReport
from .judge import Judge
from .scan_config import ScanConfig

CONNECT_S = 5.0  # timeout for a Ray cluster to answer
POLL_S = 0.1  # interval at which progress is reported
Progress = Callable[[float], None]  # called with the number of bytes done
Engine = Callable[[Sequence[Path], Progress], Iterator[FileReport]]

_judge: Judge
_done: Any  # multiprocessing.Value: bytes
_stop: Any  # multiprocessing.Event


class _Stopped(Exception):
    """The scan was stopped, and this report is no longer wanted."""


def engine(judge: Judge, *, jobs: int = 1, ray_address: str | None = None) -> Engine:
    """The engine for a number of processes, or for the Ray cluster at an address."""

    def run(paths: Sequence[Path], progress: Progress) -> Iterator[FileReport]:
        if ray_address is not None:
            return ray_cluster(paths, judge.config, progress, ray_address)
        if jobs > 1 and len(paths) > 1:
            return processes(paths, judge.config, progress, min(jobs, len(paths)))
        return here(paths, judge, progress)

    return run


def here(paths: Sequence[Path], judge: Judge, progress: Progress) -> Iterator[FileReport]:
    """Yield reports in order, made by this process."""
    done = 0.0
    for path in paths:
        size, before = bytes_of(path), done

        def advance(share: float, size: int = size, before: float = before) -> None:
            progress(before + size * min(share, 1.0))

        yield judge(path, advance)
        done += size
        progress(done)


def processes(paths: Sequence[Path], config: ScanConfig, progress: Progress, jobs: int) -> Iterator[FileReport]:
    """Yield reports as they are finished, made by `jobs` processes. A process that dies costs only its own file."""
    context = multiprocessing.get_context("spawn")  # fork would copy locks that other threads hold
    done, stop = context.Value("d", 0.0), context.Event()
    waiting, alone = deque(paths), deque[Path]()

    def pool(size: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(size, context, _begin, (config, done, stop))

    executor, running = pool(jobs), dict[Future[FileReport], Path]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs and not alone:
                path = waiting.popleft()
                try:
                    running[executor.submit(_in_worker, path)] = path
                except BrokenProcessPool:  # broken by a file that is still in `running`
                    alone.append(path)
            reports = []
            for future in wait(running, POLL_S, FIRST_COMPLETED).done:
                path = running.pop(future)
                try:
                    reports.append(future.result())
                except BrokenProcessPool:
                    alone.append(path)  # this file or a neighbour is to blame: run each alone
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
    paths: Sequence[Path], config: ScanConfig, progress: Progress, address: str
) -> Iterator[FileReport]:
    """Yield reports as they are finished, made by tasks on a running Ray cluster that sees the same files.

    Raises UsageError where Ray is not installed or no cluster answers.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError("--engine ray needs Ray. Install it in a clone: pip install '.[ray]'") from error
    try:
        host, _, port = address.rpartition(":")
        if port.isdigit() and "/" not in host:  # Ray itself retries for minutes
            socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"no Ray cluster answers at {address!r} ({reason}). Start one with `ray start --head`, or give "
            "its address with --address."
        ) from error
    try:
        task = ray.remote(num_cpus=1, max_retries=1)(judged)
        waiting, running, done = deque(paths), dict[Any, Path](), 0
        most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
        while waiting or running:
            while waiting and len(running) < most:
                path = waiting.popleft()
                running[task.remote(str(path.absolute()), str(path), config)] = path
            finished, _ = ray.wait(list(running), timeout=1.0)
            for reference in finished:
                path = running.pop(reference)
                try:
                    report = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, NoisewatchError):
                        raise cause from None
                    report = FileReport(str(path), error=f"the Ray task for {path} failed: {cause!r}.")
                except ray.exceptions.RayError:
                    report = _died(path)
                done += bytes_of(path)
                progress(done)
                yield report
    finally:
        ray.shutdown()


def judged(absolute: str, name: str, config: ScanConfig) -> FileReport:
    """The report of one file: the body of a Ray task, which may run on another machine."""
    return replace(_loaded(config)(Path(absolute)), path=name)


@functools.lru_cache(maxsize=2)
def _loaded(config: ScanConfig) -> Judge:
    return Judge(config)


def _begin(config: ScanConfig, done: Any, stop: Any) -> None:
    global _judge, _done, _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    _judge, _done, _stop = Judge(config), done, stop
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """Exit when the parent does: a parent that was killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(path: Path) -> FileReport:
    size, reported = bytes_of(path), 0.0

    def advance(share: float) -> None:
        nonlocal reported
        if _stop.is_set():
            raise _Stopped
        now = min(share, 1.0) * size
        if now - reported >= size / 100:
            _advance(now - reported)
            reported = now

    report = _judge(path, advance)
    _advance(size - reported)
    return report


def _advance(size: float) -> None:
    with _done.get_lock():
        _done.value += size


def _died(path: Path) -> FileReport:
    return FileReport(
        str(path), error=f"the process that read {path} died: it ran out of memory, or the file is damaged."
    )


def bytes_of(path: Path) -> int:
    """The size of a file; 0 where it cannot be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
