"""A training run in memory, new or resumed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import nn

from noisewatch.audio.logmel import FrontendConfig
from noisewatch.corpus.manifest import Row, read_manifest
from noisewatch.errors import InputError, OutputError, UsageError
from noisewatch.system.files import atomic_write
from noisewatch.ui import terminal

from .checkpoint import load_checkpoint, save_checkpoint
from .config import TrainConfig, configured, resumed
from .distill import Teachers
from .launch import launched
from .nets import NETS
from .provenance import data_card, distilled, init_weights, merged


@dataclass
class Run:
    """A run in memory: what it learns, and how far it has come."""

    config: TrainConfig
    out: Path
    fabric: Fabric
    console: Console
    bare: nn.Module  # the network as it is saved; `net` is what Fabric wraps around it
    net: Any
    optimizer: Any
    provenance: dict[str, Any]
    teachers: Teachers | None
    step: int = 0
    best: float = -math.inf  # merit of the best validation
    waited: int = 0  # epochs since then
    metrics: dict[str, float] = field(default_factory=dict)
    smooth_loss: float | None = None

    def save(self, name: str) -> None:
        """Write a checkpoint that can resume the run. Every process has to call it."""
        state = {
            "config": asdict(self.config),
            "frontend": asdict(FrontendConfig()),
            "step": self.step,
            "best": self.best,
            "waited": self.waited,
            "metrics": self.metrics,
            "data": json.dumps(self.provenance),
            "net": self.bare.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.fabric.is_global_zero:
            save_checkpoint(self.out / name, state)


def set_up(
    data: Path,
    out: Path,
    options: Mapping[str, Any],
    *,
    recipe: Path | None,
    resume: bool,
    devices: int | None,
) -> tuple[Run, Sequence[Row]]:
    """Configuration, processes, network and optimiser of a new or resumed run; and the manifest."""
    last = out / "last.pt"
    if resume and recipe is not None and last.exists():
        raise UsageError("a resumed run keeps the recipe that it started with: leave out --recipe.")
    if last.exists() and not resume:
        raise OutputError(f"{out} holds a run already. Go on with --resume, or name another folder with -o.")
    state = load_checkpoint(last) if resume and last.exists() else None
    config = resumed(state["config"], options) if state else configured(options, recipe)
    teachers = Teachers(config.teachers) if config.teachers else None
    if teachers and state and "teachers" not in options:
        same_teachers(teachers, json.loads(state["data"]).get("teachers", []))
    fabric = launched(config, devices)
    console = terminal.console(stderr=True, highlight=False, soft_wrap=True, quiet=not fabric.is_global_zero)
    if resume and state is None:
        console.print(f"no run in {out} yet: starting one", markup=False)
    torch.manual_seed(config.seed)
    bare = NETS[config.net]()
    before = json.loads(state["data"]) if state else None
    if state is None and config.init_from:
        before = init_weights(bare, config.net, config.init_from)
    rows = read_manifest(data)
    if fabric.is_global_zero:
        with atomic_write(out / "config.json") as file:  # before anything long: the folder may be read-only
            json.dump(asdict(config), file, indent=1)
    fabric.barrier()
    provenance = data_card(rows) if before is None else merged(before, data_card(rows))
    if teachers:
        provenance = distilled(provenance, teachers)
    if state is not None:
        bare.load_state_dict(state["net"])
    optimizer = torch.optim.AdamW(bare.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    net, optimizer = fabric.setup(bare, optimizer)
    run = Run(config, out, fabric, console, bare, net, optimizer, provenance, teachers)
    if state is not None:
        try:
            optimizer.load_state_dict(state["optimizer"])  # after the weights have moved to their device
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise InputError(
                f"{last} is damaged: its optimizer does not fit its network ({type(error).__name__}). Start "
                f"another run from its weights: --init-from {out}"
            ) from error
        run.step, run.best, run.waited = state["step"], state["best"], state["waited"]
        run.metrics = state["metrics"]
    return run, rows


def same_teachers(teachers: Teachers, before: Sequence[str]) -> None:
    """Raise UsageError when a teacher is another file than when the run started."""
    for label in teachers.labels:
        if label not in before:
            raise UsageError(
                f"the teacher {label} is not one that the run started with ({', '.join(before)}). Name the "
                "teachers for the rest of the run with --teacher."
            )
