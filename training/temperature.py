"""Temperature scaling: one factor that calibrates the distribution. Guo et al. 2017, arXiv 1706.04599."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .nets.head import Verdict

SPAN = (0.3, 3.0)
STEPS = 60


def temperature_scale(verdict: Verdict, cost: Callable[[Verdict], Tensor]) -> float:
    """The factor on the logits that minimises a mean cost of the SNR, by search over a logarithmic grid.

    Below 1 the network was too sure of itself.
    """
    low, high = map(math.log10, SPAN)
    factors = torch.logspace(low, high, STEPS).tolist()
    costs = [float(cost(verdict.scaled(factor)).mean()) for factor in factors]
    return float(factors[costs.index(min(costs))])
