"""Where recordings are judged: in this process, in several processes, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .judge import Judge
from .progress import Engine, Progress, Reports, bytes_of
from .ray_cluster import ray_cluster
from .workers import processes


def engine_for(judge: Judge, *, jobs: int = 1, ray_address: str | None = None) -> Engine:
    """The engine for a number of processes, or for the Ray cluster at an address."""

    def run(paths: Sequence[Path], progress: Progress) -> Iterator[Reports]:
        if ray_address is not None:
            return ray_cluster(paths, judge.config, progress, ray_address)
        if jobs > 1 and len(paths) > 1:
            return processes(paths, judge.config, progress, min(jobs, len(paths)))
        return in_process(paths, judge, progress)

    return run


def in_process(paths: Sequence[Path], judge: Judge, progress: Progress) -> Iterator[Reports]:
    """Yield the reports on each recording in order, each made in this process."""
    done = 0.0
    for path in paths:
        size, before = bytes_of(path), done

        def advance(share: float, size: int = size, before: float = before) -> None:
            progress(before + size * min(share, 1.0))

        yield judge(path, advance)
        done += size
        progress(done)
