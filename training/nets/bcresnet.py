"""BC-ResNet: broadcasted residual learning. Kim et al., Interspeech 2021, https://arxiv.org/abs/2106.04140

Two-dimensional convolutions along frequency, one-dimensional ones along time on the frequency average,
whose result is broadcast back over frequency. Sub-spectral normalisation: Chang et al., ICASSP 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SUB_BANDS = 5

# Table 1 of the paper at scale 1: channels, blocks, frequency stride, time dilation.
STAGES = ((8, 2, 1, 1), (12, 2, 2, 2), (16, 4, 2, 4), (20, 4, 1, 8))


class SubSpectralNorm(nn.Module):
    """Batch normalisation with separate statistics for each of five groups of bands."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * SUB_BANDS)

    def forward(self, x: Tensor) -> Tensor:
        b, c, f, t = x.shape
        if f % SUB_BANDS:
            raise ValueError(
                f"BC-ResNet normalises {SUB_BANDS} sub-bands separately, and {f} bands do not divide by "
                f"{SUB_BANDS}. Use a multiple of {8 * SUB_BANDS} Mel bands: 40 or 80."
            )
        y: Tensor = self.norm(x.reshape(b, c * SUB_BANDS, f // SUB_BANDS, t))
        return y.reshape(b, c, f, t)


class Block(nn.Module):
    """x + f2(x) + broadcast(f1(mean over frequency of f2(x))), or the transition without x."""

    def __init__(self, c_in: int, c_out: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.transition = c_in != c_out
        widen: list[nn.Module] = []
        if self.transition:
            widen = [nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        self.f2 = nn.Sequential(
            *widen,
            nn.Conv2d(c_out, c_out, (3, 1), (stride, 1), (1, 0), groups=c_out, bias=False),
            SubSpectralNorm(c_out),
        )
        self.f1 = nn.Sequential(
            nn.Conv2d(c_out, c_out, (1, 3), 1, (0, dilation), (1, dilation), groups=c_out, bias=False),
            nn.BatchNorm2d(c_out),
            nn.SiLU(),
            nn.Conv2d(c_out, c_out, 1, bias=False),
            nn.Dropout2d(0.1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.f2(x)  # (B, C, F, T)
        z = self.f1(y.mean(dim=2, keepdim=True))  # (B, C, 1, T)
        return torch.relu(y + z if self.transition else x + y + z)


class BCResNet(nn.Module):
    """The trunk: (B, 1, 40, T) -> (B, 32 * scale, T / 2); the paper's network up to its average over time.

    Unlike the paper's, the first convolution strides over time as well: features every 20 ms separate
    noises as well as features every 10 ms, in half the time.
    """

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.channels = 32 * scale
        c = 16 * scale
        layers: list[nn.Module] = [
            nn.Conv2d(1, c, 5, 2, 2, bias=False),  # (B, 16, 20, T / 2)
            nn.BatchNorm2d(c),
            nn.ReLU(),
        ]
        for width, blocks, stride, dilation in STAGES:
            for i in range(blocks):
                layers.append(Block(c, width * scale, stride if i == 0 else 1, dilation))
                c = width * scale
        layers += [
            nn.Conv2d(c, c, 5, padding=(0, 2), groups=c, bias=False),  # (B, 20, 1, T / 2)
            nn.Conv2d(c, self.channels, 1, bias=False),  # (B, 32, 1, T / 2)
            nn.BatchNorm2d(self.channels),
            nn.ReLU(),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y.squeeze(2)
