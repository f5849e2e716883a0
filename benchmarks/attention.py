"""What the attention network needs in order to learn at all: its trunk alone, started in several ways.

python benchmarks/attention.py DATA [--cache DIR] [--steps 300]

Mean over time and one linear output behind the trunk, so that nothing else of the head can answer for it. The
first MHAtt-KWS for this task kept guessing (balanced accuracy of 50 %).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import read_manifest
from noisewatch.evaluation.statistics import roc_auc
from noisewatch.training.dataset import NOISY, NOISY_WEIGHT, Batch, Windows, batches
from noisewatch.training.fit import VALIDATION_SEED
from noisewatch.training.nets.head import Normalise
from noisewatch.training.nets.mhatt import MHAtt

BATCH = 64


class Bare(nn.Module):
    """A trunk, its mean over time, a linear output."""

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


def learned(
    net: Bare, supply: list[Batch], judged: list[Batch], *, rate: float, warmup: int, clip: float
) -> list[float]:
    """AUC on the validation windows after each quarter of the run."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
    figures, quarters = [], {len(supply) * q // 4 for q in (1, 2, 3, 4)}
    for step, (x, _, targets, _) in enumerate(supply, start=1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, step / max(1, warmup))
        net.train()
        weight = targets[:, NOISY_WEIGHT]
        loss = F.binary_cross_entropy_with_logits(net(x), targets[:, NOISY], weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        if step in quarters:
            figures.append(auc(net, judged))
    return figures


@torch.no_grad()
def auc(net: Bare, judged: list[Batch]) -> float:
    """Of what is clean against what is noisy by definition."""
    net.eval()
    told = torch.cat([net(x) for x, *_ in judged])
    targets = torch.cat([t for _, _, t, _ in judged])
    sure = targets[:, NOISY_WEIGHT] == 1
    return float(roc_auc(told[sure & (targets[:, NOISY] == 0)], told[sure & (targets[:, NOISY] == 1)]))


def main(
    data: Path,
    cache: Path | None = None,
    steps: Annotated[int, typer.Option(min=4, help="Of 64 windows each.")] = 300,
    seed: int = 0,
) -> None:
    """Print a row a start."""
    torch.set_num_threads(1)
    rows = read_manifest(data)
    catalogue, held_out = (Catalogue.load(rows, split)[0] for split in ("train", "val"))
    drawn = [
        Windows(recordings, first, 10**9, SceneConfig(), cache)
        for recordings, first in ((catalogue, seed), (held_out, seed + VALIDATION_SEED))
    ]
    supply = list(batches(drawn[0], BATCH, 0, steps, 1))
    judged = list(batches(drawn[1], 128, 0, 8, 1))
    slow: dict[str, Any] = {"rate": 1e-3, "warmup": steps // 10, "clip": 5.0}
    at_once: dict[str, Any] = {"rate": 1e-2, "warmup": 0, "clip": 1e9}
    starts = {  # normalised input, LayerNorm, how it starts
        "as it is trained here": (True, True, slow),
        "without LayerNorm": (True, False, slow),
        "raw log-Mel": (False, True, slow),
        "raw log-Mel, without LayerNorm": (False, False, slow),
        "at once at 1e-2": (True, True, at_once),
        "at once at 1e-2, raw, without LayerNorm": (False, False, at_once),
    }
    print(f"{'AUC after windows:':40}", *(f"{steps * BATCH * q // 4:7d}" for q in (1, 2, 3, 4)))
    for name, (normalised, layer_norm, how) in starts.items():
        torch.manual_seed(seed)
        figures = learned(Bare(normalised=normalised, layer_norm=layer_norm), supply, judged, **how)
        print(f"{name:40}", *(f"{f:7.3f}" for f in figures), flush=True)


if __name__ == "__main__":
    typer.run(main)
