"""The loss that training minimises."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .dataset import NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE
from .nets.head import LEAST_DB, Verdict


def loss(verdict: Verdict, targets: Tensor, tracks: Tensor) -> Tensor:
    """Weighted mean loss of a batch: noise and voice (cross-entropy), SNR and levels over time (Huber).

    targets (B, 5) and tracks (B, 2, T) as in `dataset`. A verdict of n B rows (an ensemble in training) is compared
    with the targets n times. Windows of weight 0 are left out; levels are clamped at 45 dB under the loud part.
    """
    members = len(verdict.noise) // len(targets)
    targets, tracks = targets.repeat(members, 1), tracks.repeat(members, 1, 1)
    weight, snr_weight = targets[:, NOISY_WEIGHT], targets[:, SNR_WEIGHT]
    noisy = F.binary_cross_entropy_with_logits(verdict.noise, targets[:, NOISY], reduction="none")
    error = F.smooth_l1_loss(verdict.snr_db / 5, targets[:, SNR].clamp(-10, 45) / 5, reduction="none")
    voice = F.binary_cross_entropy_with_logits(verdict.voice, targets[:, VOICE])
    times = verdict.tracks.shape[2]
    tracks = F.avg_pool1d(tracks.clamp(min=LEAST_DB), max(1, tracks.shape[2] // times))
    tracks = F.interpolate(tracks, size=times, mode="linear")
    return (
        (noisy * weight).sum() / weight.sum().clamp(min=1)
        + 0.4 * (error * snr_weight).sum() / snr_weight.sum().clamp(min=1)
        + 0.25 * voice
        + 0.5 * F.smooth_l1_loss(verdict.tracks / 10, tracks / 10)
    )
