"""What every network shares: the normaliser in front of its trunk and the three outputs behind it.

A trunk turns a normalised log-Mel window into features over time; everything that makes the verdict
independent of the microphone's gain, and able to tell a quiet room from a fan, is here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FRAMES, MELS = 298, 40
DB = 10 / 2.302585  # natural-log power -> dB
# Summed Mel power over mean square: 46.2 dB measured on white noise. What it is off by is learned.
MEL_SUM_DB = 46.4
RANGE_DB = 80.0  # what lies further below the loud part of the window is not looked at
POOL = 5  # frames averaged before sorting (50 ms): sorting 59 values a band is five times cheaper than 298
RANKS = (2, 5, 9, 15, 29, 44, 53, 57)  # of the 59 sorted values: about 3, 9, 15, 25, 50, 75, 90, 97 %
BROADBAND_RANKS = (2, 5, 9, 15, 22, 29, 36, 44, 50, 53, 56, 58)
EVENT = 30  # frames: the loudest 0.3 s, the shortest noise that is scored


class Normalise(nn.Module):
    """Log-Mel relative to the loud part of its own window, so that gain cannot matter."""

    def forward(self, logmel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, M) natural log -> window (B, T, M) in -1..1.25, level (B, T) dB re loud, loud (B, 1) dBFS."""
        level = torch.logsumexp(logmel, dim=2) * DB  # (B, T)
        loud = level.topk(30, dim=1).values.mean(dim=1, keepdim=True)  # (B, 1): the loudest tenth
        x = (logmel * DB - loud.unsqueeze(2)).clamp(-RANGE_DB, 10.0)
        return x / 40 + 1, (level - loud).clamp(-RANGE_DB, 10.0), loud - MEL_SUM_DB


def ranked(x: Tensor, ranks: tuple[int, ...]) -> Tensor:
    """Order statistics over time of 50 ms means: (B, C, T) -> (B, C, len(ranks)), lowest first.

    Minimum statistics see a steady floor under speech that averages hide (R. Martin, 2001). `topk`
    stands for sorting, because torch.quantile does not export to ONNX.
    """
    means = F.avg_pool1d(x, POOL)
    ascending = -(-means).topk(means.shape[2], dim=2).values
    return ascending.index_select(2, torch.tensor(ranks, device=x.device))


class NoiseNet(nn.Module):
    """A trunk with the project's inputs and outputs.

    Inputs: `logmel` (B, 298, 40) raw natural-log Mel power, `reference` (B,) dBFS, the voice level that a
    silence is judged against. Outputs, each (B,): noise logit, SNR in dB, voice logit.
    """

    def __init__(self, trunk: nn.Module, channels: int, hidden: int = 48) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.trunk = trunk  # (B, 1, 40, 298) -> (B, channels, T')
        self.order = nn.Linear(MELS * len(RANKS), 32)
        features = 3 * channels + 32 + len(BROADBAND_RANKS) + 3
        self.mix = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.1))
        self.out = nn.Linear(hidden, 3)

    def forward(self, logmel: Tensor, reference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, level, loud = self.normalise(logmel)  # (B, T, M), (B, T), (B, 1)
        x = x.transpose(1, 2)  # (B, M, T)
        f = self.trunk(x.unsqueeze(1))  # (B, C, T')
        event = F.avg_pool1d(f, EVENT, stride=EVENT // 6).amax(dim=2)
        quantiles = ranked(level.unsqueeze(1), BROADBAND_RANKS).squeeze(1) / 20  # (B, 12), dB re loud
        above = (loud - reference.unsqueeze(1)) / 20  # the loud part against the voice that was heard
        floor = above + quantiles[:, 1:2]  # and the quiet part
        levels = torch.cat([above, floor, above + quantiles[:, 5:6]], dim=1).clamp(-4, 4)
        pooled = [f.mean(dim=2), f.amax(dim=2), event]
        order = F.relu(self.order(ranked(x, RANKS).flatten(1)))
        y = self.out(self.mix(torch.cat([*pooled, order, quantiles, levels], dim=1)))
        return y[:, 0], 20 + 15 * y[:, 1], y[:, 2]
