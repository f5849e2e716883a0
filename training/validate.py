"""Metrics on the validation windows, and the figure of merit that selects the best checkpoint."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from noisewatch.evaluation.statistics import roc_auc

from .dataset import NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE, Batch
from .loss import loss
from .nets.head import Verdict
from .platt import platt_scaling

BANDS = ((-5, 5), (5, 12), (12, 20))  # dB SNR; an AUC is logged for each


@torch.no_grad()
def validate(net: nn.Module, validation: list[Batch]) -> dict[str, float]:
    """Metrics of a network: loss, AUC overall and with speech, SNR error, and its Platt scaling.

    If any output is not finite, the only metric is a loss of NaN.
    """
    net.eval()
    verdicts = [net(x, reference) for x, reference, _, _ in validation]
    verdict = Verdict(*(torch.cat(parts).float().cpu() for parts in zip(*verdicts, strict=True)))
    targets, tracks = (torch.cat([batch[i] for batch in validation]).cpu() for i in (2, 3))
    noise, snr, voice = verdict.noise, verdict.snr_db, verdict.voice
    if not all(torch.isfinite(output).all() for output in verdict):
        return {"loss": math.nan}
    weight, noisy, spoken = targets[:, NOISY_WEIGHT] == 1, targets[:, NOISY] == 1, targets[:, VOICE] == 1
    clean = targets[:, NOISY] == 0

    def band(low: float, high: float) -> float:
        inside = (targets[:, SNR] > low) & (targets[:, SNR] <= high)
        return roc_auc(noise[weight & clean & spoken], noise[weight & noisy & spoken & inside])

    sure = weight & (clean | noisy)
    scale, offset = platt_scaling(noise[sure], noisy[sure])
    scored = (targets[:, SNR_WEIGHT] == 1) & (targets[:, SNR] >= 0) & (targets[:, SNR] <= 30)
    return {
        "loss": float(loss(verdict, targets, tracks)),
        "auc": roc_auc(noise[weight & clean], noise[weight & noisy]),
        "auc_speech": roc_auc(noise[weight & clean & spoken], noise[weight & noisy & spoken]),
        "snr_mae_db": float((snr - targets[:, SNR])[scored].abs().mean()),
        **{f"auc_{low}_{high}_db": band(low, high) for low, high in BANDS},
        "auc_voice": roc_auc(voice[~spoken], voice[spoken]),
        "scale": scale,
        "offset": offset,
    }


def merit(metrics: dict[str, float]) -> float:
    """The figure of merit that selects the best checkpoint: mean of the AUC with speech and the AUC overall."""
    values = [metrics["auc"], metrics["auc_speech"]]
    return float(np.nanmean(values)) if not np.isnan(values).all() else -1.0
