"""Scorers of windows: a model run through the engine, a level statistic, another tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..audio import levels
from ..audio.signal import Samples
from ..core.noise_detector import NoiseDetector

LEVEL_STATISTIC = "95th - 10th percentile of 20 ms levels"


@dataclass(frozen=True)
class Judgement:
    """A scorer's result for one window. None if it cannot judge the window."""

    noise: float | None  # higher is noisier; a probability if the scorer has a threshold
    snr_db: float | None = None


@dataclass(frozen=True)
class Scorer:
    """Anything that judges windows."""

    name: str
    judge: Callable[[Samples], Judgement]  # (48000,) float32 at 16 kHz
    threshold: float | None = None  # if set, scores are probabilities, and noisy at or above it
    detector: NoiseDetector | None = None  # for models, which also process streams


def distinct_names(names: Sequence[str], short: Callable[[Path], str]) -> dict[str, str]:
    """A label for each name or path: its short form, or the name itself if two names share that form."""
    shorts = {name: short(Path(name)) for name in names}
    taken = list(shorts.values())
    return {name: shown if taken.count(shown) == 1 else name for name, shown in shorts.items()}


def model_scorers(files: Mapping[str, str]) -> list[Scorer]:
    """A scorer for each model. files: shipped names or paths of ONNX files, by the name that the user gave."""
    names = distinct_names(list(files), lambda path: path.stem if path.suffix == ".onnx" else str(path))
    return [replace(model_scorer(files[name]), name=shown) for name, shown in names.items()]


def model_scorer(name: str) -> Scorer:
    """A scorer for a shipped model or an ONNX file, run through the engine for live input. Raises ModelError."""
    detector = NoiseDetector(name)

    def judge(samples: Samples) -> Judgement:
        reading = detector.stream().push(samples)[0]
        return Judgement(reading.noise, reading.snr_db)

    return Scorer(name, judge, detector.model.card.threshold, detector)


def level_statistic() -> Scorer:
    """The strongest simple rule: how much the level varies. It varies most for a voice in a silent room."""

    def judge(samples: Samples) -> Judgement:
        spread = spread_db(samples)
        return Judgement(-spread, spread)

    return Scorer(LEVEL_STATISTIC, judge)


def spread_db(window: Samples) -> float:
    """95th minus 10th percentile of the 20 ms levels of samples (n,), dB."""
    low, high = np.percentile(10 * np.log10(levels.frame_power(window) + 1e-14), [10, 95])
    return float(high - low)
