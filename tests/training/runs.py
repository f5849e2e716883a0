"""Training runs for the tests: the smallest that learns, its log, and checkpoints without any learning."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from noisewatch.audio.logmel import FrontendConfig
from noisewatch.training.checkpoint import save_checkpoint
from noisewatch.training.config import configured
from noisewatch.training.export import export
from noisewatch.training.nets import NETS

# Two steps of the cheapest network, for tests that are not about the command.
SMALLEST: dict[str, Any] = {"net": "dense", "epochs": 1, "windows": 32, "batch": 16, "workers": 0}


def logged(run: Path) -> list[dict[str, str]]:
    """The rows of a run's logs, in the order of its resumes."""
    rows = []
    for log in sorted(run.glob("log/version_*/metrics.csv")):
        with log.open() as file:
            rows += list(csv.DictReader(file))
    return rows


def write_checkpoint(path: Path, name: str, net: nn.Module, data: dict[str, Any] | None = None) -> None:
    """A checkpoint of a network as it is, at step 0; data: its provenance."""
    data = data or {"sources": [], "shippable": False}
    state = {"config": asdict(configured({"net": name})), "frontend": asdict(FrontendConfig()), "step": 0,
             "best": 0.0, "metrics": {"scale": 0.8}, "data": json.dumps(data),
             "net": net.state_dict(), "optimizer": {}}  # fmt: skip
    save_checkpoint(path, state)


def write_model(path: Path, name: str, data: dict[str, Any] | None = None) -> Path:
    """An ONNX file of a network without any learning."""
    checkpoint = path.with_suffix(".pt")
    write_checkpoint(checkpoint, name, NETS[name](), data)
    return export(checkpoint, path)
