"""Figures of merit on arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def roc_auc(clean: ArrayLike, noisy: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a noisy window scores above a clean one. Ties count half.

    The Mann-Whitney U statistic over its maximum. nan if either side is empty.
    """
    low, high = np.sort(np.asarray(clean, float)), np.asarray(noisy, float)
    if np.isnan(low).any() or np.isnan(high).any():
        raise ValueError("a score is nan: exclude windows that could not be judged, and report how many")
    if not len(low) or not len(high):
        return float("nan")
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))


def balanced_accuracy(clean: ArrayLike, noisy: ArrayLike, threshold: float) -> float:
    """Mean of the shares of clean windows < threshold and of noisy windows >= threshold; nan if one is empty."""
    if not np.size(clean) or not np.size(noisy):
        return float("nan")
    return float((np.asarray(clean) < threshold).mean() + (np.asarray(noisy) >= threshold).mean()) / 2


def clustered(
    figure: Callable[[NDArray[np.int_]], float],
    clusters: ArrayLike,
    *,
    of: ArrayLike | None = None,
    rounds: int = 300,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % bootstrap interval of a figure, drawing whole clusters of windows (speakers) with replacement.

    figure: computes a number from indices of windows. clusters (n,): the cluster of each window. of (n,) bool: the
    windows to use, by default all. nan with fewer than two clusters.
    """
    used = np.arange(len(np.asarray(clusters))) if of is None else np.flatnonzero(of)
    labels, members = np.unique(np.asarray(clusters)[used], return_inverse=True)
    if len(labels) < 2:
        return float("nan"), float("nan")
    windows = [used[members == i] for i in range(len(labels))]
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        drawn = rng.integers(0, len(windows), len(windows))
        values.append(figure(np.concatenate([windows[i] for i in drawn])))
    low, high = np.nanpercentile(values, [2.5, 97.5]) if not np.isnan(values).all() else (np.nan, np.nan)
    return float(low), float(high)


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a proportion, with `count` observed in `of` trials (Wilson 1927)."""
    z2 = 1.96**2
    middle, half = count + z2 / 2, 1.96 * math.sqrt(count * (of - count) / of + z2 / 4)
    return max(0.0, (middle - half) / (of + z2)), min(1.0, (middle + half) / (of + z2))


def reliability(
    probability: ArrayLike, noisy: ArrayLike, bins: int = 10
) -> tuple[float, tuple[tuple[float, float, float], ...]]:
    """Expected calibration error, and for each bin its mean probability, share noisy and share of all windows.

    Both classes have equal weight, as in training.
    """
    p, y = np.asarray(probability, float), np.asarray(noisy, bool)
    weight = np.where(y, 0.5 / max(1, y.sum()), 0.5 / max(1, (~y).sum()))
    place = np.minimum((p * bins).astype(int), bins - 1)
    table: list[tuple[float, float, float]] = []
    error = 0.0
    for b in range(bins):
        mine = place == b
        share = float(weight[mine].sum())
        if share:
            mean, hit = (float((weight * v)[mine].sum() / share) for v in (p, y))
            error += share * abs(mean - hit)
            table.append((mean, hit, share))
    return error, tuple(table)


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation of two arrays (n,), ties at their mean rank; nan for fewer than two values."""
    if np.size(a) < 2:
        return float("nan")
    return float(np.corrcoef(_ranks(np.asarray(a, float)), _ranks(np.asarray(b, float)))[0, 1])


def _ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], np.float64)
