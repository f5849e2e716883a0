"""The loss that training minimises."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.corpus.catalogue import CLEAN_DB

from .dataset import FLOOR_ONLY, NOW, SNR, SOUND, TEACHER_SNR, TEACHER_WEIGHT, TEACHER_WIDTH, VOICE, WEIGHT
from .nets.head import EDGES, LEAST_DB, Verdict

VERDICT_DB = 28  # between noisy windows, at or below 20 dB, and clean ones, at or above 40
SOFT_DB = 0.7  # scale of the logistic step of a label: its SNR is known to about 1 dB
FLOOR_WEIGHT = 0.3  # of the levels above CLEAN_DB where only a floor is known: an estimate
EDGES_WEIGHT, CENTRE_WEIGHT, VOICE_WEIGHT, TRACKS_WEIGHT = 0.1, 0.4, 0.25, 0.5  # the verdict has 1
CERTAIN = 20.0  # logit
NOW_WEIGHT, KIND_WEIGHT = 0.5, 0.1
NOW_DB, NOW_SOFT_DB = 30.0, 2.5  # of the label of `now`: between noisy and clean, and its scale
WIDTH_SCALES = 4.394  # width of the central 80 % of a logistic distribution, in units of its scale


def loss(verdict: Verdict, targets: Tensor, tracks: Tensor, span: tuple[int, int] = (0, 150)) -> Tensor:
    """Weighted mean loss of a batch: SNR and voice (cross-entropy), and levels over time (Huber).

    targets (B, 9) and tracks (B, 2, 150) as in `dataset`; span: the part of these that `verdict.tracks` covers. A
    verdict of n B rows (an ensemble in training) is compared with the targets n times. Windows
    of weight 0 are left out; levels are clamped at 45 dB under the loud part.
    """
    members = len(verdict.voice) // len(targets)
    targets, tracks = targets.repeat(members, 1), tracks.repeat(members, 1, 1)
    weight = targets[:, WEIGHT]
    # The distribution is learned under the true hypothesis; the verdict, with both weighted by their probabilities.
    spoken = targets[:, VOICE]
    edges = edge_losses(verdict, targets, voice=(2 * spoken - 1) * CERTAIN)
    noisy = edge_losses(verdict, targets)[:, EDGES.index(VERDICT_DB)]
    centre = verdict.centre[torch.arange(len(targets)), spoken.long(), 1]
    error = F.smooth_l1_loss(centre / 5, targets[:, SNR].clamp(-12, 45) / 5, reduction="none")
    snr = noisy + EDGES_WEIGHT * edges.sum(1) + CENTRE_WEIGHT * error * (1 - targets[:, FLOOR_ONLY])
    voice = F.binary_cross_entropy_with_logits(verdict.voice, targets[:, VOICE])
    times = verdict.tracks.shape[2]
    tracks = tracks[:, :, span[0] : span[1]]
    tracks = F.avg_pool1d(tracks.clamp(min=LEAST_DB), max(1, tracks.shape[2] // times))
    tracks = F.interpolate(tracks, size=times, mode="linear")
    return (
        (snr * weight).sum() / weight.sum().clamp(min=1)
        + VOICE_WEIGHT * voice
        + TRACKS_WEIGHT * F.smooth_l1_loss(verdict.tracks / 10, tracks / 10)
        + _of_the_moment(verdict, targets)
    )


def span(net: nn.Module) -> tuple[int, int]:
    """The part of the tracks that a network estimates."""
    return cast(tuple[int, int], net.tracks_span)


def _of_the_moment(verdict: Verdict, targets: Tensor) -> Tensor | float:
    """Cross-entropy of noise in the last 0.5 s and of its kind, for the networks that tell them."""
    if verdict.now is None or verdict.kind is None:
        return 0.0
    weight = targets[:, WEIGHT]
    sounds = torch.sigmoid((NOW_DB - targets[:, NOW]) / NOW_SOFT_DB)
    now = F.binary_cross_entropy_with_logits(verdict.now, sounds, weight, reduction="sum")
    kind = F.cross_entropy(verdict.kind, targets[:, SOUND].long(), ignore_index=-1, reduction="sum")
    known = (targets[:, SOUND] >= 0).sum()
    return NOW_WEIGHT * now / weight.sum().clamp(min=1) + KIND_WEIGHT * kind / known.clamp(min=1)


def edge_losses(verdict: Verdict, targets: Tensor, voice: Tensor | None = None) -> Tensor:
    """Cross-entropy of P(SNR <= edge) at each edge: (B, edges); voice (B,): logits of a voice that is known.

    Their sum is the ranked probability score with logarithms: an error of 10 dB costs more than one of 2.
    """
    edges = torch.tensor(EDGES, dtype=targets.dtype, device=targets.device)
    below = torch.sigmoid((edges - targets[:, SNR, None]) / SOFT_DB)  # (B, edges)
    taught, scale = targets[:, TEACHER_WEIGHT, None], targets[:, TEACHER_WIDTH, None] / WIDTH_SCALES
    below = below + taught * (torch.sigmoid((edges - targets[:, TEACHER_SNR, None]) / (scale + SOFT_DB)) - below)
    estimated = (targets[:, FLOOR_ONLY, None] == 1) & (edges >= CLEAN_DB)
    at_most, above = verdict.log_cdf(edges, voice)
    return -(below * at_most + (1 - below) * above) * torch.where(estimated, FLOOR_WEIGHT, 1.0)
