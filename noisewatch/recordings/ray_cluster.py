"""Recordings judged on a Ray cluster, by tasks that have access to the same files."""

from __future__ import annotations

import functools
import logging
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import NoisewatchError, UsageError
from .file_report import FileReport
from .judge import Judge
from .progress import Progress, Reports, bytes_of
from .scan_config import ScanConfig
from .workers import died

CONNECT_S = 5.0  # timeout for a Ray cluster to answer


def ray_cluster(paths: Sequence[Path], config: ScanConfig, progress: Progress, address: str) -> Iterator[Reports]:
    """Yield the reports on each recording as they are finished, made by tasks on a running Ray cluster.

    Raises UsageError if Ray is not installed or no cluster answers.
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
                    reports = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, NoisewatchError):
                        raise cause from None
                    reports = [FileReport(str(path), error=f"the Ray task for {path} failed: {cause!r}.")]
                except ray.exceptions.RayError:
                    reports = [died(path)]
                done += bytes_of(path)
                progress(done)
                yield reports
    finally:
        ray.shutdown()


def judged(absolute: str, name: str, config: ScanConfig) -> Reports:
    """The reports on one file: the body of a Ray task, which may run on another machine."""
    return [replace(report, path=name) for report in _loaded(config)(Path(absolute))]


@functools.lru_cache(maxsize=2)
def _loaded(config: ScanConfig) -> Judge:
    return Judge(config)
