"""A fully connected network: three layers on half a second of frames, as in early neural speech recognisers.

After Hinton et al. 2012 (Deep Neural Networks for Acoustic Modeling in Speech Recognition,
https://doi.org/10.1109/MSP.2012.2205597). The layers are applied at every frame: over the whole
window at once they would have to learn each noise anew for every position in time.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.audio.logmel import MELS

STACKED = 25  # frames of 20 ms


class Dense(nn.Module):
    """The trunk: (B, 1, 40, T) -> (B, 48, T / 4): the same layers at every frame."""

    channels = 48

    def __init__(self, hidden: int = 192) -> None:
        super().__init__()
        # Batch normalisation between the layers: without it, steps that suit the first stall the last.
        self.layers = nn.Sequential(
            # (B, 40, T / 2) -> (B, 192, T / 4): a matrix on 25 frames at a time, which is a convolution.
            nn.Conv1d(MELS, hidden, STACKED, stride=2, padding=STACKED // 2, bias=False),
            nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.1),
            nn.Conv1d(hidden, hidden, 1, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.1),
            nn.Conv1d(hidden, self.channels, 1, bias=False), nn.BatchNorm1d(self.channels), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(F.avg_pool1d(x.squeeze(1), 2))
        return y
