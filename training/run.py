"""The state of a training run, new or resumed."""

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
    """Network, optimiser and progress of a run; `save` and `restore` are its checkpoint."""

    config: TrainConfig
    out: Path
    fabric: Fabric
    console: Console
    bare: nn.Module  # the network that is saved; `net` is Fabric's wrapper around it
    net: Any
    optimizer: Any
    provenance: dict[str, Any]
    teachers: Teachers | None
    step: int = 0
    best: float = -math.inf  # merit of the best validation
    waited: int = 0  # epochs without improvement since then
    metrics: dict[str, float] = field(default_factory=dict)
    smooth_loss: float | None = None

    def save(self, name: str) -> None:
        """Write a checkpoint that can resume the run. All processes must call it."""
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

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where a checkpoint left off; its weights are loaded already."""
        try:
            self.optimizer.load_state_dict(state["optimizer"])  # after Fabric moved the weights to their device
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise InputError(
                f"{self.out / 'last.pt'} is damaged: its optimizer does not fit its network "
                f"({type(error).__name__}). Start another run from its weights: --init-from {self.out}"
            ) from error
        self.step, self.best, self.waited = state["step"], state["best"], state["waited"]
        self.metrics = state["metrics"]


def set_up(
    data: Path,
    out: Path,
    options: Mapping[str, Any],
    *,
    recipe: Path | None,
    resume: bool,
    devices: int | None,
) -> tuple[Run, Sequence[Row]]:
    """Configuration, processes, network and optimiser of a new or resumed run; and the rows of the manifest.

    Raises what `fit` raises, before any recording is loaded.
    """
    state = last_state(out / "last.pt", recipe, resume)
    config = resumed(state["config"], options) if state else configured(options, recipe)
    teachers = Teachers(config.teachers) if config.teachers else None
    if teachers and state and "teachers" not in options:
        check_teachers(teachers, json.loads(state["data"]).get("teachers", []))
    fabric = launched(config, devices)
    console = terminal.console(stderr=True, highlight=False, soft_wrap=True, quiet=not fabric.is_global_zero)
    if resume and state is None:
        console.print(f"no run in {out} yet: starting one", markup=False)
    torch.manual_seed(config.seed)
    bare = NETS[config.net]()
    before = initial_weights(bare, config, state)
    rows = read_manifest(data)
    if fabric.is_global_zero:
        with atomic_write(out / "config.json") as file:  # now, because the folder may be read-only
            json.dump(asdict(config), file, indent=1)
    fabric.barrier()
    provenance = data_card(rows) if before is None else merged(before, data_card(rows))
    if teachers:
        provenance = distilled(provenance, teachers)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    net, optimizer = fabric.setup(bare, optimizer)
    run = Run(config, out, fabric, console, bare, net, optimizer, provenance, teachers)
    if state is not None:
        run.restore(state)
    return run, rows


def last_state(last: Path, recipe: Path | None, resume: bool) -> dict[str, Any] | None:
    """The checkpoint to resume from, or None for a new run. Raises OutputError rather than overwrite a run."""
    if not last.exists():
        return None
    if not resume:
        raise OutputError(
            f"{last.parent} already holds a run. Go on with --resume, or name another folder with -o."
        )
    if recipe is not None:
        raise UsageError("a resumed run keeps the recipe that it started with: leave out --recipe.")
    return load_checkpoint(last)


def initial_weights(net: nn.Module, config: TrainConfig, state: dict[str, Any] | None) -> dict[str, Any] | None:
    """Load the weights of the resumed run or of `init_from`; returns their provenance, None for random weights."""
    if state is not None:
        net.load_state_dict(state["net"])
        provenance: dict[str, Any] = json.loads(state["data"])
        return provenance
    return init_weights(net, config.net, config.init_from) if config.init_from else None


def check_teachers(teachers: Teachers, before: Sequence[str]) -> None:
    """Raise UsageError when a teacher's file has changed since the run started."""
    for label in teachers.labels:
        if label not in before:
            raise UsageError(
                f"the teacher {label} is not one that the run started with ({', '.join(before)}). Name the "
                "teachers for the rest of the run with --teacher."
            )
