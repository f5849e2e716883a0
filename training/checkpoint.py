"""Checkpoints: tensors and plain values, complete or not at all; and the folders that runs live in."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from noisewatch.audio.logmel import FrontendConfig
from noisewatch.errors import InputError, UsageError
from noisewatch.system.files import atomic_write

from .config import TrainConfig
from .nets import NETS

# What a checkpoint holds beside its configuration and front end.
PARTS: dict[str, type | tuple[type, ...]] = {
    "net": Mapping, "optimizer": Mapping, "step": int, "best": (int, float), "waited": int, "metrics": Mapping,
    "data": str,
}  # fmt: skip


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Tensors and plain values only, complete or not at all."""
    written = io.BytesIO()  # torch has words of its own for a full disk
    torch.save(state, written)
    with atomic_write(path, "wb") as file:
        file.write(written.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint written by `train`. Runs no code from it. Raises InputError when it is none."""
    if not os.path.isfile(path):  # noqa: PTH113 - False for what can't be looked at, too
        raise InputError(f"no checkpoint at {path}. `noisewatch train DATA -o {path.parent}` makes one.")
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        frontend, config = FrontendConfig.stored(state["frontend"]), TrainConfig(**state["config"])
        state.setdefault("waited", 0)
        if lacks := [name for name, kind in PARTS.items() if not isinstance(state.get(name), kind)]:
            raise InputError(f"{path} is damaged: it lacks {', '.join(lacks)}. Train again, or name another one.")
        if not all(isinstance(value, int | float) for value in state["metrics"].values()):
            raise TypeError("a metric is no number")
        sources, _ = (data := json.loads(state["data"]))["sources"], data["shippable"]
        if not all(isinstance(source, dict) for source in sources):
            raise TypeError("a source is no card")
    except InputError:
        raise
    except UsageError as error:
        raise InputError(f"{path} cannot be used here: {error}") from error
    except Exception as error:  # torch raises whatever the bytes make it
        raise InputError(
            f"{path} is no checkpoint of this version of noisewatch ({type(error).__name__})."
        ) from error
    if replace(frontend, highpass_hz=FrontendConfig.highpass_hz) != FrontendConfig():
        raise InputError(f"{path} was trained on another front end: {frontend}. Train again.")
    try:
        NETS[config.net]().load_state_dict(state["net"])
    except (RuntimeError, TypeError, AttributeError) as error:  # other names or shapes; what is no tensor
        raise InputError(
            f"{path} says that it is a {config.net}, but its weights are not of one as this version of noisewatch "
            "builds it. Train again."
        ) from error
    return state


def best_of(run: Path) -> Path:
    """The best checkpoint of a run's folder, or the checkpoint itself."""
    return run if run.suffix == ".pt" or os.path.isfile(run) else run / "best.pt"  # noqa: PTH113


def newest_run(checkpoint: str, folder: Path = Path("runs")) -> Path:
    """The run under `folder` with the newest `last.pt` or `best.pt`; raises InputError when there is none."""
    found = sorted(folder.glob(f"*/{checkpoint}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise InputError(f"no run with a {checkpoint} under {folder}/. `noisewatch train` makes one, or name it.")
    return found[-1].parent


def new_run(folder: Path = Path("runs")) -> Path:
    """A folder for a run that nobody named: its date and time."""
    return folder / f"{datetime.now():%Y-%m-%d_%H%M%S}"
