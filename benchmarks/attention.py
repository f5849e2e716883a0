"""Ablation of the attention network: the normalisation and learning-rate schedule that its trunk needs to learn.

python benchmarks/attention.py DATA [--cache DIR] [--steps 300]

The trunk is followed only by a mean over time and one linear output, so the rest of the head cannot compensate for
it. The first MHAtt-KWS for this task never rose above chance (balanced accuracy of 50 %).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.corpus.catalogue import CLEAN_DB, Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import read_manifest
from noisewatch.corpus.render import NOISY_DB
from noisewatch.evaluation.statistics import roc_auc
from noisewatch.training.dataset import SNR, WEIGHT, Batch, Windows, batches
from noisewatch.training.fit import VALIDATION_SEED
from noisewatch.training.nets.head import Normalise
from noisewatch.training.nets.mhatt import MHAtt

BATCH = 64


class Bare(nn.Module):
    """The trunk, a mean over time, and a linear output."""

    def __init__(self, *, normalised: bool, layer_norm: bool) -> None:
        super().__init__()
        self.normalise = Normalise() if normalised else None
        self.trunk = MHAtt()
        if not layer_norm:
            self.trunk.norm = nn.Identity()
        self.out = nn.Linear(self.trunk.channels, 1)

    def forward(self, logmel: Tensor) -> Tensor:
        x = self.normalise(logmel)[0] if self.normalise else logmel
        y: Tensor = self.out(self.trunk(x.transpose(1, 2).unsqueeze(1)).mean(dim=2))
        return y.squeeze(1)


def train(
    net: Bare, training: list[Batch], validation: list[Batch], *, rate: float, warmup: int, clip: float
) -> list[float]:
    """Train the network. Returns the AUC on the validation windows after each quarter of the run."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
    figures, quarters = [], {len(training) * q // 4 for q in (1, 2, 3, 4)}
    for step, (x, _, targets, _) in enumerate(training, start=1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, step / max(1, warmup))
        net.train()
        noisy = (targets[:, SNR] <= NOISY_DB).float()
        loss = F.binary_cross_entropy_with_logits(net(x), noisy, targets[:, WEIGHT])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        if step in quarters:
            figures.append(auc(net, validation))
    return figures


@torch.no_grad()
def auc(net: Bare, validation: list[Batch]) -> float:
    """AUC of clean against noisy windows, without those in between."""
    net.eval()
    scores = torch.cat([net(x) for x, *_ in validation])
    targets = torch.cat([t for _, _, t, _ in validation])
    sure, snr = targets[:, WEIGHT] == 1, targets[:, SNR]
    return float(roc_auc(scores[sure & (snr >= CLEAN_DB)], scores[sure & (snr <= NOISY_DB)]))


def main(
    data: Path,
    cache: Path | None = None,
    steps: Annotated[int, typer.Option(min=4, help="Training steps of 64 windows.")] = 300,
    seed: int = 0,
) -> None:
    """Print one row per configuration."""
    torch.set_num_threads(1)
    rows = read_manifest(data)
    catalogue, held_out = (Catalogue.load(rows, split)[0] for split in ("train", "val"))
    drawn = [
        Windows(recordings, first, 10**9, SceneConfig(), cache)
        for recordings, first in ((catalogue, seed), (held_out, seed + VALIDATION_SEED))
    ]
    training = list(batches(drawn[0], BATCH, 0, steps, 1))
    validation = list(batches(drawn[1], 128, 0, 8, 1))
    gentle: dict[str, Any] = {"rate": 1e-3, "warmup": steps // 10, "clip": 5.0}
    harsh: dict[str, Any] = {"rate": 1e-2, "warmup": 0, "clip": 1e9}  # in effect no clipping
    configurations = {  # normalised input, LayerNorm, schedule
        "as in training": (True, True, gentle),
        "without LayerNorm": (True, False, gentle),
        "raw log-Mel": (False, True, gentle),
        "raw log-Mel, without LayerNorm": (False, False, gentle),
        "1e-2, no warm-up": (True, True, harsh),
        "1e-2, no warm-up, raw, no LayerNorm": (False, False, harsh),
    }
    print(f"{'AUC after windows:':40}", *(f"{steps * BATCH * q // 4:7d}" for q in (1, 2, 3, 4)))
    for name, (normalised, layer_norm, schedule) in configurations.items():
        torch.manual_seed(seed)
        net = Bare(normalised=normalised, layer_norm=layer_norm)
        figures = train(net, training, validation, **schedule)
        print(f"{name:40}", *(f"{f:7.3f}" for f in figures), flush=True)


if __name__ == "__main__":
    typer.run(main)
