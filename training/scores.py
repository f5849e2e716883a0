"""Figures of merit on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def roc_auc(clean: ArrayLike, noisy: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a noisy window scores above a clean one, ties half.

    The Mann-Whitney U statistic over its maximum. nan when either side is empty.
    """
    low, high = np.sort(np.asarray(clean, float)), np.asarray(noisy, float)
    if np.isnan(low).any() or np.isnan(high).any():
        raise ValueError("a score is nan: leave out what could not be judged, and say how many")
    if not len(low) or not len(high):
        return float("nan")
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))


def balanced_accuracy(clean: ArrayLike, noisy: ArrayLike, threshold: float) -> float:
    """Mean of the share of clean windows below the threshold and of noisy ones at or above it."""
    return float((np.asarray(clean) < threshold).mean() + (np.asarray(noisy) >= threshold).mean()) / 2
