"""Metrics on the validation windows, and the figure of merit that selects the best checkpoint."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from noisewatch.corpus.catalogue import CLEAN_DB
from noisewatch.corpus.render import NOISY_DB
from noisewatch.evaluation.statistics import roc_auc

from .dataset import FLOOR_ONLY, NOW, SNR, SOUND, VOICE, WEIGHT, Batch
from .loss import edge_losses, loss, span
from .nets.head import Verdict
from .temperature import temperature_scale

BANDS = ((-5, 5), (5, 12), (12, 20))  # dB SNR; an AUC is logged for each


@torch.no_grad()
def validate(net: nn.Module, validation: list[Batch]) -> dict[str, float]:
    """Metrics of a network: loss, AUC overall and with speech, SNR error, and its temperature scaling.

    If any output is not finite, the only metric is a loss of NaN.
    """
    net.eval()
    verdicts = [net(x, reference) for x, reference, _, _ in validation]
    verdict = Verdict.joined(verdicts).map(lambda output: output.float().cpu())
    targets, tracks = (torch.cat([batch[i] for batch in validation]).cpu() for i in (2, 3))
    if not all(torch.isfinite(output).all() for output in verdict if output is not None):
        return {"loss": math.nan}
    noise, snr, voice = verdict.noise, verdict.snr_db, verdict.voice
    true, spoken, scored = targets[:, SNR], targets[:, VOICE] == 1, targets[:, WEIGHT] == 1
    clean, noisy = scored & (true >= CLEAN_DB), scored & (true <= NOISY_DB)

    def band(low: float, high: float) -> float:
        return roc_auc(noise[clean & spoken], noise[noisy & spoken & (true > low) & (true <= high)])

    estimated = scored & spoken & (targets[:, FLOOR_ONLY] == 0) & (true >= 0) & (true <= 30)
    return {
        "loss": float(loss(verdict, targets, tracks, span(net))),
        "auc": roc_auc(noise[clean], noise[noisy]),
        "auc_speech": roc_auc(noise[clean & spoken], noise[noisy & spoken]),
        "snr_mae_db": float((snr - true)[estimated].abs().mean()),
        **of_the_moment(verdict, targets, scored),
        **{f"auc_{low}_{high}_db": band(low, high) for low, high in BANDS},
        "auc_voice": roc_auc(voice[~spoken], voice[spoken]),
        "scale": temperature_scale(
            verdict.map(lambda output: output[scored]), partial(edge_losses, targets=targets[scored])
        ),
    }


def of_the_moment(verdict: Verdict, targets: Tensor, scored: Tensor) -> dict[str, float]:
    """AUC of noise in the last 0.5 s, and the share of noises whose kind is right, for networks that tell them."""
    if verdict.now is None or verdict.kind is None:
        return {}
    clean, noisy = (scored & (targets[:, NOW] >= CLEAN_DB), scored & (targets[:, NOW] <= NOISY_DB))
    ended = clean & (targets[:, SNR] <= NOISY_DB)
    known = targets[:, SOUND] >= 0
    right = verdict.kind.argmax(1)[known] == targets[known, SOUND]
    return {
        "auc_now": roc_auc(verdict.now[clean], verdict.now[noisy]),
        "auc_now_ended": roc_auc(verdict.now[ended], verdict.now[noisy]),
        "kind_right": float(right.float().mean()),
    }


def merit(metrics: dict[str, float]) -> float:
    """The figure of merit that selects the best checkpoint: mean of the AUC with speech and the AUC overall."""
    values = [metrics["auc"], metrics["auc_speech"]]
    return float(np.nanmean(values)) if not np.isnan(values).all() else -1.0
