"""Figures of merit on arrays."""

from __future__ import annotations

import pytest

from noisewatch.evaluation.statistics import clustered, reliability, roc_auc, spearman, wilson_interval
from noisewatch.tasks.false_alarms import poisson_interval


def test_auc_counts_ties_half():
    assert roc_auc([0, 1], [2, 3]) == 1.0
    assert roc_auc([2, 3], [0, 1]) == 0.0
    assert roc_auc([1, 1], [1, 1]) == 0.5
    assert roc_auc([0, 2], [1, 3]) == 0.75


def test_figures_of_merit():
    assert poisson_interval(0) == (0.0, pytest.approx(3.689, abs=1e-3))
    assert poisson_interval(3) == (pytest.approx(0.619, abs=1e-3), pytest.approx(8.767, abs=1e-3))
    assert wilson_interval(0, 38) == (0.0, pytest.approx(0.0918, abs=1e-3))
    assert wilson_interval(5, 10) == (pytest.approx(0.2366, abs=1e-3), pytest.approx(0.7634, abs=1e-3))
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert spearman([1, 2, 2], [3, 1, 1]) == pytest.approx(-1)
    assert reliability([0.25, 0.25, 0.25, 0.25], [True, False, False, False])[0] == pytest.approx(0.25)
    low, high = clustered(lambda chosen: float(len(set(chosen.tolist()))), ["a", "a", "b"])
    assert (low, high) == (1, 3)
