"""Platt scaling: a scale and an offset that calibrate a network's logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def platt_scaling(logits: Tensor, noisy: Tensor) -> tuple[float, float]:
    """Scale and offset that calibrate logits (n,), fitted to labels (n,): noisy or not.

    Both classes get the same weight: 0.8 is right four times in five where half of the windows are noisy. A
    weak prior towards scale 1 and offset 0 keeps separable scores finite. Platt 1999 (Probabilistic Outputs for
    Support Vector Machines).
    """
    x, y = logits.double(), noisy.double()
    if not 0 < y.sum() < len(y):
        return 1.0, 0.0
    weight = torch.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    theta = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        wrong = F.binary_cross_entropy_with_logits(theta[0] * x + theta[1], y, weight, reduction="sum")
        total = wrong + 1e-4 * ((theta[0] - 1) ** 2 + theta[1] ** 2)
        total.backward()  # type: ignore[no-untyped-call]
        return total.item()

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return float(theta[0].detach()), float(theta[1].detach())
