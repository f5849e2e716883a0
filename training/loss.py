"""The loss that training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from noisewatch.corpus.catalogue import CLEAN_DB

from .dataset import FLOOR_ONLY, SNR, TEACHER_SNR, TEACHER_WEIGHT, TEACHER_WIDTH, VOICE, WEIGHT
from .nets.head import AT_NOISY, EDGES, LEAST_DB, Verdict

SOFT_DB = 0.7  # scale of the logistic step of a label: its SNR is known to about 1 dB
FLOOR_WEIGHT = 0.3  # of the levels above CLEAN_DB where only a floor is known: an estimate
NOISY_WEIGHT, EDGE_WEIGHT, VOICE_WEIGHT, TRACKS_WEIGHT = 1.0, 0.15, 0.25, 0.5
WIDTH_SCALES = 4.394  # width of the central 80 % of a logistic distribution, in units of its scale


def loss(verdict: Verdict, targets: Tensor, tracks: Tensor) -> Tensor:
    """Weighted mean loss of a batch: SNR and voice (cross-entropy), and levels over time (Huber).

    targets (B, 8) and tracks (B, 2, T) as in `dataset`. A verdict of n B rows (an ensemble in training) is compared
    with the targets n times. Windows of weight 0 are left out; levels are clamped at 45 dB under the loud part.
    """
    members = len(verdict.voice) // len(targets)
    targets, tracks = targets.repeat(members, 1), tracks.repeat(members, 1, 1)
    weight = targets[:, WEIGHT]
    voice = F.binary_cross_entropy_with_logits(verdict.voice, targets[:, VOICE])
    times = verdict.tracks.shape[2]
    tracks = F.avg_pool1d(tracks.clamp(min=LEAST_DB), max(1, tracks.shape[2] // times))
    tracks = F.interpolate(tracks, size=times, mode="linear")
    return (
        (snr_loss(verdict.snr, targets) * weight).sum() / weight.sum().clamp(min=1)
        + VOICE_WEIGHT * voice
        + TRACKS_WEIGHT * F.smooth_l1_loss(verdict.tracks / 10, tracks / 10)
    )


def snr_loss(snr: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of P(SNR <= edge), summed over the edges, for log-probabilities (B, BINS): (B,).

    The ranked probability score with logarithms: an SNR that is wrong by 10 dB costs more than one by 2. The edge
    between noisy and clean weighs most.
    """
    edges = torch.tensor(EDGES, dtype=snr.dtype, device=snr.device)
    below = torch.sigmoid((edges - targets[:, SNR, None]) / SOFT_DB)  # (B, edges)
    taught, scale = targets[:, TEACHER_WEIGHT, None], targets[:, TEACHER_WIDTH, None] / WIDTH_SCALES
    below = below + taught * (torch.sigmoid((edges - targets[:, TEACHER_SNR, None]) / (scale + SOFT_DB)) - below)
    weight = torch.full_like(edges, EDGE_WEIGHT)
    weight[AT_NOISY - 1] = NOISY_WEIGHT
    weight = weight * torch.where((targets[:, FLOOR_ONLY, None] == 1) & (edges >= CLEAN_DB), FLOOR_WEIGHT, 1.0)
    at_most = torch.logcumsumexp(snr, 1)[:, :-1]
    above = torch.logcumsumexp(snr.flip(1), 1).flip(1)[:, 1:]
    return -(weight * (below * at_most + (1 - below) * above)).sum(1)
