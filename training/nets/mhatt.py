"""MHAtt-RNN: convolutions, bidirectional GRUs, attention. Rybakov et al. 2020, https://arxiv.org/abs/2005.06720"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noisewatch.audio.logmel import MELS

HEADS = 4
WIDTH = 64  # of the GRU in each direction


class MHAtt(nn.Module):
    """The trunk: (B, 1, 40, T) -> (B, 128, T / 4), the output of the GRUs plus the context from the attention."""

    channels = 2 * WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 16, 5, (2, 2), 2, bias=False),  # (B, 16, 20, T / 2)
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, (3, 5), (2, 2), (1, 2), bias=False),  # (B, 16, 10, T / 4)
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        # It makes no difference in a short run of the bare trunk (benchmarks/attention.py).
        features = 16 * MELS // 4  # both convolutions halve the bands
        self.norm = nn.LayerNorm(features)
        self.gru = nn.GRU(features, WIDTH, num_layers=2, bidirectional=True, batch_first=True)
        self.query = nn.Linear(2 * WIDTH, 2 * WIDTH)
        self.out = nn.Linear(2 * WIDTH, 2 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions(x).flatten(1, 2).transpose(1, 2)  # (B, T / 4, 160)
        y, _ = self.gru(self.norm(y))  # (B, T / 4, 128)
        b, t, c = y.shape
        # As in the paper: the one query is the middle frame of the window, with four heads.
        query = self.query(y[:, t // 2]).reshape(b, HEADS, 1, c // HEADS)
        keys = y.reshape(b, t, HEADS, c // HEADS).transpose(1, 2)  # (B, 4, T / 4, 32)
        weights = torch.softmax(query @ keys.transpose(2, 3) / (c // HEADS) ** 0.5, dim=3)  # (B, 4, 1, T / 4)
        context = (weights @ keys).reshape(b, 1, c)
        output: Tensor = y + torch.relu(self.out(context))
        return output.transpose(1, 2)  # (B, 128, T / 4)
