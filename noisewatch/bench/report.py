"""What a run found: medians, ratios, and distances from the floor."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

LIBRARIES = ("noisewatch", "numpy", "onnxruntime")


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of the rounds."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one value or more."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Step:
    """The cost of one step on one thread."""

    name: str
    version: str | None  # package and version of a baseline; None: noisewatch
    ms_per_s: Spread  # ms for one second of audio
    ratio: Spread  # to the whole path of the default model, within each round
    memory_mb: float | None  # added to a process that has loaded Python and NumPy; None: unknown
    macs_per_s: float | None  # multiply-accumulates for one second of audio; None: not counted
    times_floor: Spread | None  # over the time of so many multiply-accumulates in a matrix product of that round


@dataclass(frozen=True)
class LeftOut:
    """A baseline that was not timed."""

    name: str
    reason: str
    install: str  # command


@dataclass(frozen=True)
class BenchReport:
    """A run, as `bench --json` prints it."""

    date: str  # ISO 8601, UTC
    machine: str
    versions: dict[str, str]
    seconds: float  # of measuring
    rounds: int
    gmacs: Spread  # 10^9 multiply-accumulates a second in a matrix product on one thread
    steps: list[Step]
    left_out: list[LeftOut]


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the time is spent in."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def version(package: str) -> str:
    """A package and its version; the package alone if it was not installed by a package manager."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def machine() -> str:
    """Processor, cores and system."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")  # Linux, where platform.processor is empty or the architecture
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return f"{processor} ({platform.machine()}), {os.cpu_count()} cores, {platform.system()}"
