"""The default model on real voices and noises that it was not trained on, from the folder NOISEWATCH_DATA.

The `val` split: choosing may look at it. The `test` split is for the card and the releases.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile as sf

from noisewatch import NoiseDetector
from noisewatch.audio.levels import active_rms


def recordings(data: Path, kind: str, count: int, floor_db: float = 0.0) -> list[np.ndarray]:
    """The first 3 s of validation recordings, one per group."""
    with (data / "manifest.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if (r["kind"], r["split"]) == (kind, "val")]
    seen, found = set(), []
    for r in rows:
        if r["group"] in seen or float(r["seconds"]) < 3.2 or float(r["floor_db"] or 99) < floor_db:
            continue
        seen.add(r["group"])
        found.append(sf.read(data / r["path"], dtype="float32", frames=48_000)[0])
        if len(found) == count:
            break
    return found


def test_voices_are_clean_and_voices_in_noise_are_noisy(data: Path):
    detector = NoiseDetector()
    voices, noises = recordings(data, "speech", 20, 45.0), recordings(data, "noise", 20)
    assert len(voices) == len(noises) == 20
    clean, noisy = [], []
    for voice, noise in zip(voices, noises, strict=True):
        mixed = voice + noise * np.float32(active_rms(voice) / active_rms(noise) * 10 ** (-5 / 20))
        clean.append(detector.stream().push(voice)[0].noise or 0.0)
        noisy.append(detector.stream().push(mixed)[0].noise or 0.0)
    assert np.median(clean) < 0.3
    assert np.median(noisy) > 0.8
    pairs = np.array(noisy)[:, None] > np.array(clean)[None, :]
    assert pairs.mean() > 0.95
