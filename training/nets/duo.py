"""A two-member ensemble, trained side by side. Lakshminarayanan et al. 2017, https://arxiv.org/abs/1612.01474

On unseen sounds the members make different errors, so the mean of their outputs makes fewer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .head import NoiseNet, Verdict


def _coarser(tracks: Tensor, times: int) -> Tensor:
    return F.avg_pool1d(tracks, math.ceil(int(tracks.shape[2]) / times), ceil_mode=True)


class Duo(nn.Module):
    """The mean distribution of several networks, each with its own head.

    In training the verdict has n B rows, member after member, and the loss covers each member; in evaluation it has
    B, the mean.
    """

    tracks_span = NoiseNet.tracks_span

    def __init__(self, members: Mapping[str, NoiseNet]) -> None:
        super().__init__()
        self.members = nn.ModuleDict(members)

    def forward(self, logmel: Tensor, reference: Tensor) -> Verdict:
        verdicts = [member(logmel, reference) for member in self.members.values()]
        times = min(int(verdict.tracks.shape[2]) for verdict in verdicts)  # (B, 2, 75) of mhatt, (B, 2, 149) of tcn
        verdicts = [v._replace(tracks=_coarser(v.tracks, times)) for v in verdicts]
        if self.training:
            return Verdict.joined(verdicts)
        voice, tracks = (torch.stack([v[i] for v in verdicts]).mean(0) for i in (0, 4))
        weight, centre, sharpness = (torch.cat([v[i] for v in verdicts], 2) for i in (1, 2, 3))
        return Verdict(voice, weight - math.log(len(verdicts)), centre, sharpness, tracks)
