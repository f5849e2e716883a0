"""Where the time of each network goes: the share of its operators, by ONNX Runtime's profiler.

python benchmarks/operators.py [MODEL ...]

The profiler costs a microsecond or two for each operator, so small operators look a little larger than they are.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from noisewatch.audio.logmel import LogMel
from noisewatch.bench.task import clip
from noisewatch.core.model import STATE, Model
from noisewatch.core.ort import CPU
from noisewatch.core.reference import ASSUMED_DBFS
from noisewatch.core.shipped import shipped_models

RUNS = 150
SHOWN = 6  # operators


def main() -> None:
    """Print the operators that take the most time in each network."""
    frames = LogMel().feed(clip())
    for name in sys.argv[1:] or shipped_models():
        kinds = by_kind(events(Model(name), frames))
        whole, count = sum(us for _, us in kinds.values()), sum(number for number, _ in kinds.values())
        print(f"{name}: {count} operators, {whole / 1000:.2f} ms")
        largest = sorted(kinds.items(), key=lambda item: -item[1][1])
        for kind, (number, us) in largest[:SHOWN]:
            print(f"  {number:4} {kind:20} {us / whole:5.0%}")
        number, us = sum(n for _, (n, _) in largest[SHOWN:]), sum(us for _, (_, us) in largest[SHOWN:])
        print(f"  {number:4} {'others':20} {us / whole:5.0%}")


def events(model: Model, frames: np.ndarray) -> list[dict[str, Any]]:
    """What the profiler recorded while windows of the demo clip were judged."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(model.path, options, [CPU])
        feeds = {"reference": np.array([ASSUMED_DBFS], np.float32)}
        if model.step:
            feeds[STATE] = model.initial_state()
        for run in range(RUNS):
            window = frames[None, 10 * run : 10 * run + (model.step or model.frames)]
            session.run(None, {"logmel": window, **feeds})
        found: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text())
        return found


def by_kind(found: list[dict[str, Any]]) -> dict[str, tuple[int, float]]:
    """How many operators there are of each kind, and the us they take together: the sum of their medians."""
    durations = defaultdict[tuple[str, str], list[float]](list)
    for event in found:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            durations[event["args"]["op_name"], event["name"]].append(event["dur"])
    count, us = defaultdict[str, int](int), defaultdict[str, float](float)
    for (kind, _), values in durations.items():
        runs = len(values) // RUNS  # of operators that share a name
        count[kind] += runs
        us[kind] += runs * statistics.median(values)
    return {kind: (count[kind], us[kind]) for kind in count if count[kind]}


if __name__ == "__main__":
    main()
