"""Speed of scanning by hop, and where the time goes. With --hours, time and memory for one long recording as well.

python benchmarks/scan.py [--model NAME] [--hours 10]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf

import noisewatch
from noisewatch.audio.logmel import LogMel
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT
from noisewatch.inputs.recording import open_recording
from noisewatch.recordings.judge import Judge
from noisewatch.recordings.scan_config import ScanConfig

DEMO = Path(noisewatch.__file__).with_name("demo.flac")
HOPS = (0.1, 0.5, 3.0)
ROUNDS = 7
REPEATS = 4  # of the demo clip in the recording


def main() -> None:
    """Print speeds on one core as multiples of real time: medians of interleaved rounds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default=DEFAULT)
    options.add_argument("--hours", type=float, default=0.0)
    chosen = options.parse_args()
    samples, rate = sf.read(DEMO, dtype="float32")
    samples = np.tile(samples, REPEATS)
    seconds = len(samples) / rate
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.flac"
        sf.write(path, samples, rate)
        model, window = Model(chosen.model), LogMel().feed(samples[:48_000])
        state = model.initial_state()

        def decode() -> None:
            for _ in open_recording(path, path.name).blocks():
                pass

        def network(hop: float) -> None:
            for _ in range(round((seconds - 3) / hop)):
                model(window, -26.0, state)

        parts: dict[str, Callable[[], object]] = {"decoding": decode, "front end": lambda: LogMel().feed(samples)}
        for hop in HOPS:
            judge = Judge(ScanConfig(chosen.model, hop))
            parts[f"network, hop {hop:g} s"] = lambda hop=hop: network(hop)  # type: ignore[misc]
            parts[f"whole scan, hop {hop:g} s"] = lambda judge=judge: judge(path)  # type: ignore[misc]
        took: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(ROUNDS):
            for name, part in parts.items():
                began = time.process_time()
                part()
                took[name].append(time.process_time() - began)
        print(f"{chosen.model}, {seconds:.0f} s of FLAC, one core, {ROUNDS} rounds")
        for name, values in took.items():
            speeds = sorted(seconds / v for v in values)
            print(
                f"{name:28} {statistics.median(speeds):7.0f} times real time ({speeds[0]:.0f} to {speeds[-1]:.0f})"
            )
        if chosen.hours:
            _long(Path(folder) / "long.wav", samples, rate, chosen.hours, chosen.model)


def _long(path: Path, samples: np.ndarray, rate: int, hours: float, model: str) -> None:
    with sf.SoundFile(path, "w", rate, 1) as file:
        for _ in range(round(hours * 3600 * rate / len(samples))):
            file.write(samples)
    began = time.monotonic()
    command = [sys.executable, "-m", "noisewatch", "scan", str(path), "--model", model]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=path.parent)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # KiB on Linux
    print(f"{hours:g} h in one file, hop 0.5 s: {time.monotonic() - began:.0f} s, {peak:.0f} MB at most")


if __name__ == "__main__":
    main()
