"""Checkpoints: tensors and plain values, written atomically; and the folders of runs."""

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

# The entries of a checkpoint besides its configuration and front end.
PARTS: dict[str, type | tuple[type, ...]] = {
    "net": Mapping, "optimizer": Mapping, "step": int, "best": (int, float), "waited": int, "metrics": Mapping,
    "data": str,
}  # fmt: skip


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values atomically. Raises OutputError."""
    written = io.BytesIO()  # torch would raise an error of its own for a full disk
    torch.save(state, written)
    with atomic_write(path, "wb") as file:
        file.write(written.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint written by `train`, without running code from it. Raises InputError for any other file."""
    if not os.path.isfile(path):  # noqa: PTH113 - no error for unreadable folders
        raise InputError(f"no checkpoint at {path}. `noisewatch train DATA -o {path.parent}` makes one.")
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        frontend, config = FrontendConfig.stored(state["frontend"]), TrainConfig(**state["config"])
        state.setdefault("waited", 0)
        if lacks := [name for name, kind in PARTS.items() if not isinstance(state.get(name), kind)]:
            raise InputError(f"{path} is damaged: it lacks {', '.join(lacks)}. Train again, or name another one.")
        if not all(isinstance(value, int | float) for value in state["metrics"].values()):
            raise TypeError("a metric is not a number")
        sources, _ = (data := json.loads(state["data"]))["sources"], data["shippable"]
        if not all(isinstance(source, dict) for source in sources):
            raise TypeError("a source is not a table")
    except InputError:
        raise
    except UsageError as error:
        raise InputError(f"{path} cannot be used here: {error}") from error
    except Exception as error:  # torch raises errors of many types for damaged files
        raise InputError(
            f"{path} is not a checkpoint of this version of noisewatch ({type(error).__name__})."
        ) from error
    if replace(frontend, highpass_hz=FrontendConfig.highpass_hz) != FrontendConfig():
        raise InputError(f"{path} was trained on another front end: {frontend}. Train again.")
    try:
        NETS[config.net]().load_state_dict(state["net"])
    except (RuntimeError, TypeError, AttributeError) as error:  # other names or shapes; not a tensor
        raise InputError(
            f"{path} is marked as a {config.net}, but its weights do not fit that network in this version of "
            "noisewatch. Train again."
        ) from error
    return state


def best_of(run: Path) -> Path:
    """The best checkpoint in a run's folder; a checkpoint is returned as it is."""
    return run if run.suffix == ".pt" or os.path.isfile(run) else run / "best.pt"  # noqa: PTH113


def newest_run(checkpoint: str, folder: Path = Path("runs")) -> Path:
    """The run under `folder` with the newest `last.pt` or `best.pt`; raises InputError when there is none."""
    found = sorted(folder.glob(f"*/{checkpoint}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise InputError(f"no run with a {checkpoint} under {folder}/. `noisewatch train` makes one, or name it.")
    return found[-1].parent


def new_run(folder: Path = Path("runs")) -> Path:
    """The default folder of a run: its date and time."""
    return folder / f"{datetime.now():%Y-%m-%d_%H%M%S}"
