"""Augmentation of log-Mel batches on the device: another microphone's colour, another vocal tract length.

It makes cached windows worth repeating.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .nets.head import DB

COLOUR_DB = 4.0  # at most, at each of six places over the bands
WARP = 0.06  # stretch of the Mel axis, after Jaitly & Hinton 2013 (vocal tract length perturbation)


def augmented(logmel: Tensor, share: float, seed: int) -> Tensor:
    """A share of the windows (B, T, M), natural-log power, with a random colour and a stretched Mel axis.

    The SNR of a window moves by half a decibel at the median, rarely by more than two. A seed replays a batch.
    """
    draw = torch.Generator().manual_seed(seed)
    b, _, mels = logmel.shape
    chosen = torch.rand(b, generator=draw) < share
    colour = (torch.rand(b, 1, 6, generator=draw) * 2 - 1) * COLOUR_DB * torch.rand(b, 1, 1, generator=draw)
    curve = F.interpolate(colour, size=mels, mode="linear", align_corners=True)[:, 0] / DB  # (B, M)
    stretch = 1 + (torch.rand(b, 1, generator=draw) * 2 - 1) * WARP
    curve, stretch = curve * chosen[:, None], torch.where(chosen[:, None], stretch, torch.ones(()))
    place = ((torch.arange(mels) + 0.5) * stretch - 0.5).clamp(0, mels - 1)  # (B, M)
    low = place.floor().long().clamp(max=mels - 2)
    part = (place - low).to(logmel.device)[:, None]
    low = low.to(logmel.device)[:, None].expand_as(logmel)
    stretched = logmel.gather(2, low) * (1 - part) + logmel.gather(2, low + 1) * part
    return stretched + curve.to(logmel.device)[:, None]
