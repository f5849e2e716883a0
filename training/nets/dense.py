"""A fully connected network: the baseline that knows nothing of time or frequency."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

STEPS, MELS = 29, 40  # of 10 frames each
CHANNELS = 16


class Dense(nn.Module):
    """The trunk: (B, 1, 40, 298) -> (B, 16, 29), three layers that see the whole window."""

    channels = CHANNELS

    def __init__(self, hidden: int = 192) -> None:
        super().__init__()
        # Batch normalisation between the layers: without it, steps that suit the first stall the last.
        self.layers = nn.Sequential(
            nn.Linear(STEPS * MELS, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(hidden, CHANNELS * STEPS), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        means = F.avg_pool2d(x, (1, 10)).flatten(1)  # (B, 40 * 29): 100 ms means
        y: Tensor = self.layers(means)
        return y.reshape(-1, CHANNELS, STEPS)
