"""A small synthetic data set for trying every command in a minute. Networks trained on it are of no real use."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..audio.signal import SAMPLE_RATE
from ..system.files import atomic_write
from .channel import coloured_noise
from .draw import Rng
from .prepare import Prepared, prepare


def generate(out: Path, *, seed: int = 0, speakers: int = 10, noises: int = 15, seconds: float = 6.0) -> Prepared:
    """Write vowel-like buzzes as voices, filtered noise as noises, and their manifest to a folder."""
    rng = np.random.default_rng(seed)
    for s in range(speakers):
        for take in range(2):
            _write(out / "speech" / f"speaker{s:02}" / f"take{take}.flac", _voice(rng, 90 + 20 * s, seconds))
    for n in range(noises):
        _write(out / "noise" / f"noise{n:02}.flac", _noise(rng, n, seconds))
    return prepare({"speech": [out / "speech"], "noise": [out / "noise"]}, out, seed=seed)


def _write(path: Path, samples: NDArray[np.floating]) -> None:
    peak = float(np.abs(samples).max())
    encoded = io.BytesIO()
    sf.write(encoded, samples / peak * 0.5, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    with atomic_write(path, "wb") as file:
        file.write(encoded.getvalue())


def _voice(rng: Rng, pitch_hz: float, seconds: float) -> NDArray[np.floating]:
    """A voice without words: a pulse train through two formants, in syllables with pauses."""
    n = int(seconds * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    voice = np.zeros(n)
    start = int(0.2 * SAMPLE_RATE)
    while start < n - SAMPLE_RATE // 2:
        length = int(rng.uniform(0.12, 0.3) * SAMPLE_RATE)
        span = slice(start, start + length)
        phase = 2 * np.pi * pitch_hz * rng.uniform(0.85, 1.2) * t[span]
        formants = rng.uniform([300, 900], [800, 2300])
        gains = [1 / (1 + ((h * pitch_hz - f) / 150) ** 2) for h in range(1, 30) for f in formants]
        tones = [np.sin(h * phase) for h in range(1, 30) for _ in formants]
        voice[span] += np.hanning(length) * np.tensordot(gains, tones, axes=1)
        start += length + int(rng.choice([0.02, 0.05, 0.4]) * SAMPLE_RATE)
    return np.asarray(voice + 1e-3 * np.abs(voice).max() * np.resize(coloured_noise(rng, -0.5), n))


def _noise(rng: Rng, number: int, seconds: float) -> NDArray[np.floating]:
    """A steady hiss, a hum or a series of knocks, in turn."""
    n = int(seconds * SAMPLE_RATE)
    hiss = np.resize(coloured_noise(rng, rng.uniform(-1.2, 0.3)), n)
    if number % 3 == 1:
        t = np.arange(n) / SAMPLE_RATE
        tones = [np.sin(2 * np.pi * rng.uniform(60, 900) * t) for _ in range(4)]
        return np.asarray(hiss * 0.1 + np.sum(tones, axis=0))
    if number % 3 == 2:
        decay = np.exp(-((np.arange(n) % int(rng.uniform(0.2, 0.5) * SAMPLE_RATE)) / 1200.0))
        return np.asarray(hiss * decay)
    return hiss
