"""The most memory that this process has held."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_mb() -> float | None:
    """The peak resident set size of this process, in MB of 2**20 bytes; None where the system does not tell."""
    if sys.platform == "linux":  # ru_maxrss would include the process that started this one
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None
