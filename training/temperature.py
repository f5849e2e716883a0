"""Temperature scaling: one factor that calibrates the distribution. Guo et al. 2017, arXiv 1706.04599."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .nets.head import scaled

SPAN = (0.3, 3.0)
STEPS = 60


def temperature_scale(snr: Tensor, cost: Callable[[Tensor], Tensor]) -> float:
    """The factor on log-probabilities (n, BINS) that minimises a mean cost, by search over a logarithmic grid.

    Below 1 the network was too sure of itself. One factor leaves the median on the same side of every level.
    """
    low, high = map(math.log10, SPAN)
    factors = torch.logspace(low, high, STEPS)
    costs = torch.stack([cost(scaled(snr, float(factor))).mean() for factor in factors])
    return float(factors[costs.argmin()])
