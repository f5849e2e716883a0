"""Networks that learn side by side and speak as one. Lakshminarayanan et al. 2017, arXiv 1612.01474

https://arxiv.org/abs/1612.01474. On sounds that none has met they err apart, and their mean errs less.
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
    """Recurrence and attention beside dilated convolutions, each with a head of its own.

    In training the verdict has 2 B rows, all of the first and then all of the second, so that each is judged by
    itself; else it has B, their mean.
    """

    def __init__(self, members: Mapping[str, NoiseNet]) -> None:
        super().__init__()
        self.members = nn.ModuleDict(members)

    def forward(self, logmel: Tensor, reference: Tensor) -> Verdict:
        told = [member(logmel, reference) for member in self.members.values()]
        times = min(int(verdict.tracks.shape[2]) for verdict in told)  # (B, 2, 75) of mhatt, (B, 2, 149) of tcn
        told = [v._replace(tracks=_coarser(v.tracks, times)) for v in told]
        if self.training:
            return Verdict(*(torch.cat(parts) for parts in zip(*told, strict=True)))
        return Verdict(*(torch.stack(parts).mean(0) for parts in zip(*told, strict=True)))
