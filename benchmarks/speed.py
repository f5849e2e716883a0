"""Time taken by each part of one decision, and by the whole: medians of interleaved rounds.

python benchmarks/speed.py [MODEL ...]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import soundfile as sf

import noisewatch
from noisewatch.audio.highpass import HighPass
from noisewatch.audio.logmel import LogMel
from noisewatch.core.health import Health
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT

ROUNDS, CALLS = 15, 50


def milliseconds(call: Callable[[], object]) -> float:
    """Mean duration of a call, over CALLS calls."""
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1000


def main() -> None:
    """Print one row per part."""
    clip, _ = sf.read(Path(noisewatch.__file__).with_name("demo.flac"), dtype="float32")
    hop = clip[48_000:49_600]
    highpass, logmel, health = HighPass(), LogMel(), Health()
    window = LogMel().feed(clip[:48_000])
    parts: dict[str, Callable[[], object]] = {
        "high-pass, 0.1 s": lambda: highpass.feed(hop),
        "log-Mel, 0.1 s": lambda: logmel.feed(hop),
        "log-Mel, 3 s": lambda: LogMel().feed(clip[:48_000]),
        "input checks, 0.1 s": lambda: health.feed(hop, hop),
    }
    for name in sys.argv[1:] or [DEFAULT]:
        detector, model = noisewatch.NoiseDetector(name), Model(name)
        stream = detector.stream()
        stream.push(clip[:48_000])
        state = model.initial_state()
        parts[f"network {model.card.name}"] = partial(model, window[-model.frames :], -26.0, state)
        parts[f"one decision, {model.card.name}"] = partial(stream.push, hop)
    for call in parts.values():
        milliseconds(call)
    rounds = [{name: milliseconds(call) for name, call in parts.items()} for _ in range(ROUNDS)]
    for name in parts:
        values = [r[name] for r in rounds]
        print(f"{name:32} {statistics.median(values):7.3f} ms   ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
