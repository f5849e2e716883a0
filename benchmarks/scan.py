"""Time and memory of a scan of one long recording: the demo clip again and again.

python benchmarks/scan.py [--model NAME] [--hours 10]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile as sf

from noisewatch.audio.signal import SAMPLE_RATE
from noisewatch.bench.task import clip
from noisewatch.core.shipped import DEFAULT


def main() -> None:
    """Print them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default=DEFAULT)
    options.add_argument("--hours", type=float, default=10.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        with sf.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
            for _ in range(round(chosen.hours * 3600 * SAMPLE_RATE / len(clip()))):
                file.write(clip())
        began = time.monotonic()
        command = [sys.executable, "-m", "noisewatch", "scan", str(path), "--model", chosen.model]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # KiB on Linux
    print(f"{chosen.hours:g} h in one file, hop 0.5 s: {time.monotonic() - began:.0f} s, {peak:.0f} MB at most")


if __name__ == "__main__":
    main()
