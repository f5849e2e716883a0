"""Anything that judges a window: a model through the engine, or a level statistic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..audio import levels
from ..audio.signal import Samples
from ..core.noise_detector import NoiseDetector

BY_HAND = "95th - 10th percentile of 20 ms levels"


@dataclass(frozen=True)
class Judgement:
    """What a scorer says of one window. None: it cannot tell."""

    noise: float | None  # higher is noisier; a probability where the scorer has a threshold
    snr_db: float | None = None


@dataclass(frozen=True)
class Scorer:
    """Anything that judges windows: a model through the engine, a statistic, another tool."""

    name: str
    judge: Callable[[Samples], Judgement]  # (48000,) float32 at 16 kHz
    threshold: float | None = None  # its scores are probabilities, noisy from here on
    detector: NoiseDetector | None = None  # what it listens to streams with


def told_apart(names: Sequence[str], short: Callable[[Path], str]) -> dict[str, str]:
    """A short name for each path or word, its own where several would be called the same: scores are kept by it."""
    shorts = {name: short(Path(name)) for name in names}
    return {name: called if list(shorts.values()).count(called) == 1 else name for name, called in shorts.items()}


def model_scorers(files: Mapping[str, str]) -> list[Scorer]:
    """A scorer for each model, each under a name of its own. files: by the names that the user gave."""
    called = told_apart(list(files), lambda path: path.stem if path.suffix == ".onnx" else str(path))
    return [replace(model_scorer(files[name]), name=shown) for name, shown in called.items()]


def model_scorer(name: str) -> Scorer:
    """A shipped model or an ONNX file, through the engine that listens to microphones."""
    detector = NoiseDetector(name)

    def judge(samples: Samples) -> Judgement:
        reading = detector.stream().push(samples)[0]
        return Judgement(reading.noise, reading.snr_db)

    return Scorer(name, judge, detector.model.card.threshold, detector)


def by_hand() -> Scorer:
    """The strongest statistic by hand: how far the level swings. A voice over a silent room swings most."""

    def judge(samples: Samples) -> Judgement:
        spread = spread_db(samples)
        return Judgement(-spread, spread)

    return Scorer(BY_HAND, judge)


def spread_db(window: Samples) -> float:
    """95th minus 10th percentile of the 20 ms levels of samples (n,), dB."""
    low, high = np.percentile(10 * np.log10(levels.frame_power(window) + 1e-14), [10, 95])
    return float(high - low)
