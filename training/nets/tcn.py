"""A temporal convolutional network with frequency as channels: more parameters per millisecond than BC-ResNet.

After Choi et al. 2019 (TC-ResNet, https://arxiv.org/abs/1904.03814) and Bai et al. 2018 (dilated residual
blocks, https://arxiv.org/abs/1803.01271). On a CPU a few wide products over time cost less than many thin
convolutions over time and frequency. Convolutions over time are two-dimensional with height one, because only those
have blocked kernels in ONNX Runtime: a fifth faster.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noisewatch.audio.logmel import MELS

DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)  # frames of 20 ms: each feature sees 1.2 s


def layers(channels: int, dilation: int, padding: int) -> nn.Sequential:
    """A dilated convolution over time, then a product over channels."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, (1, 3), padding=(0, padding), dilation=(1, dilation), bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.Dropout2d(0.1),
    )


class Block(nn.Module):
    """x + f(x)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.f = layers(channels, dilation, padding=dilation)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.relu(x + self.f(x))
        return y


class TCN(nn.Module):
    """The trunk: (B, 1, 40, T) -> (B, 64, T / 2)."""

    def __init__(self, channels: int = 64, stem: int = 12) -> None:
        super().__init__()
        self.channels = channels
        # One convolution over both axes first, for tolerance to small shifts of pitch.
        self.stem = nn.Sequential(nn.Conv2d(1, stem, 5, 2, 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.blocks = nn.Sequential(
            nn.Conv2d(stem * MELS // 2, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            *(Block(channels, dilation) for dilation in DILATIONS),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x).flatten(1, 2).unsqueeze(2)  # (B, 12, 20, T / 2) -> (B, 240, 1, T / 2)
        z: Tensor = self.blocks(y).squeeze(2)
        return z
