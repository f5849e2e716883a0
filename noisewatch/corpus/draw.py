"""Random draws from ranges and weights of the configuration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .config import Mixture, Range, Speed, Weights

Rng = np.random.Generator


def pick(rng: Rng, weights: Weights) -> str:
    """Draw a name with probability proportional to its weight."""
    point = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        point -= weight
        if point < 0:
            return name
    return name


def mixture(rng: Rng, parts: Mixture) -> float:
    """Draw a number from a mixture of uniform ranges."""
    values = [rng.uniform(low, high) for _, low, high in parts]
    p = np.array([weight for weight, _, _ in parts])
    return float(values[int(rng.choice(len(p), p=p / p.sum()))])


def log_uniform(rng: Rng, span: Range) -> float:
    """Draw a log-uniform number from a range."""
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))


def attenuation(rng: Rng, span_db: Range, size: int | None = None) -> NDArray[np.float64]:
    """Draw linear gains (size,), uniform in dB of attenuation."""
    return np.asarray(10 ** (-rng.uniform(*span_db, size) / 20))


def speed(rng: Rng, config: Speed) -> float:
    """Draw a playback speed; 1 for takes that stay unchanged."""
    if rng.random() >= config.share:
        return 1.0
    return float(np.exp(rng.uniform(-config.spread, config.spread)))
