"""Prints how often a model calls made voices noise, by kind, beside the recordings that they were made from.

    python tools/judge_voices.py MADE [--model NAME] [--split train]

MADE is a folder that tools/make_voices.py wrote. All voices in it are clean: each noisy reading is a false alarm.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from noisewatch.audio.signal import WINDOW, WINDOW_S, Samples
from noisewatch.core.events import Reading
from noisewatch.core.noise_detector import NoiseDetector
from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.manifest import load_audio, read_manifest
from noisewatch.corpus.tracks import own_floor
from noisewatch.errors import InputError, NoisewatchError
from noisewatch.ui.progress import tracked


def main(
    made: Path,
    model: Annotated[str, typer.Option(help="Shipped model or .onnx file.")] = DEFAULT,
    split: str = "train",
) -> None:
    """Print the table."""
    try:
        detector = NoiseDetector(model)
        rows = [row for row in read_manifest(made) if row.style == "made" and row.split == split]
        table = described(made / "voices.csv")
        if not rows:
            raise InputError(f"{made} has no made voices in the split {split!r}. Choose another --split.")
        if unknown := [row.path for row in rows if Path(row.path).name not in table]:
            raise InputError(f"{made / 'voices.csv'} does not list {unknown[0]}. Run tools/make_voices.py again.")
        voices: dict[str, list[Reading]] = defaultdict(list)
        originals: dict[str, set[str]] = defaultdict(set)
        for row in tracked(rows, "voices"):
            cells = table[Path(row.path).name]
            kind = cells["kind"]
            voices[kind] += readings(detector, load_audio(row.path))
            originals[kind].add(cells["original"])
        paths = sorted({path for found in originals.values() for path in found})
        judged = {path: readings(detector, load_audio(path)) for path in tracked(paths, "recordings")}
    except NoisewatchError as error:
        raise SystemExit(str(error)) from error
    voices["all"] = [reading for found in voices.values() for reading in found]
    originals["all"] = set(paths)
    threshold = detector.model.card.threshold
    print("| kind | readings | noisy | voice < 0.5 | originals: readings | noisy | voice < 0.5 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind, found in voices.items():
        before = [reading for path in originals[kind] for reading in judged[path]]
        print(f"| {kind} | {shares(found, threshold)} | {shares(before, threshold)} |")


def described(path: Path) -> dict[str, dict[str, str]]:
    """The rows of voices.csv by file name, which does not depend on the current folder. Raises InputError."""
    try:
        with path.open(newline="") as file:
            return {Path(cells["path"]).name: cells for cells in csv.DictReader(file)}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}. tools/make_voices.py writes it.") from error


def readings(detector: NoiseDetector, samples: Samples) -> list[Reading]:
    """One reading for each whole window of a recording; a shorter one is continued with its own floor."""
    if len(samples) < WINDOW:
        samples = np.concatenate([samples, own_floor(samples, np.random.default_rng(0))])[:WINDOW]
    return detector.stream(hop=WINDOW_S).push(samples)


def shares(found: Sequence[Reading], threshold: float) -> str:
    """The number of readings, the share of noisy ones, and the share of those without a voice."""
    noisy = [reading.noise is not None and reading.noise >= threshold for reading in found]
    silent = [reading.voice is not None and reading.voice < 0.5 for reading in found]
    return f"{len(found)} | {np.mean(noisy):.1%} | {np.mean(silent):.1%}"


if __name__ == "__main__":
    typer.run(main)
