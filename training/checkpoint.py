"""Checkpoints: tensors and plain values, complete or not at all; and the folders that runs live in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from noisewatch.errors import InputError
from noisewatch.frontend import FrontendConfig
from noisewatch.sinks import atomic_write

from .config import TrainConfig
from .manifest import Row
from .nets import NETS
from .teachers import Teachers


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Tensors and plain values only, complete or not at all."""
    with atomic_write(path, "wb") as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint written by `train`. Runs no code from it. Raises InputError when it is none."""
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}. `noisewatch train DATA -o {path.parent}` makes one.")
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        frontend, config = state["frontend"], TrainConfig(**state["config"])
        NETS[config.net]().load_state_dict(state["net"])
        state.setdefault("waited", 0)
    except Exception as error:  # torch raises whatever the bytes make it
        raise InputError(
            f"{path} is no checkpoint of this version of noisewatch ({type(error).__name__})."
        ) from error
    if frontend != asdict(FrontendConfig()):
        raise InputError(f"{path} was trained on another front end: {frontend}. Train again.")
    return state


def data_card(rows: Sequence[Row]) -> dict[str, Any]:
    """What the weights learned from: sources, minutes, licences, and whether all of it may be shipped."""
    used = [r for r in rows if r.split == "train"]
    sources = [
        {
            "kind": kind,
            "source": source,
            "minutes": round(sum(r.seconds for r in used if (r.kind, r.source) == (kind, source)) / 60, 1),
            "licence": "; ".join(sorted({r.licence for r in used if (r.kind, r.source) == (kind, source)})),
        }
        for kind, source in sorted({(r.kind, r.source) for r in used})
    ]
    return {
        "sources": sources,
        "shippable": all(r.ship == "yes" for r in rows if r.split in ("train", "val")),
    }


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The card of data of a run that went on with other data: it learned from both."""
    known = [s for s in before["sources"] if s not in now["sources"]]
    return {**before, "sources": known + now["sources"], "shippable": before["shippable"] and now["shippable"]}


def taught(card: dict[str, Any], teachers: Teachers) -> dict[str, Any]:
    """The card of data of a run with teachers: what they learned from has come with them."""
    for teacher in teachers.models:
        card = merged(card, {"sources": teacher.card.trained_on, "shippable": teacher.card.shippable})
    names = [*card.get("teachers", []), *teachers.known_as]
    return {**card, "teachers": list(dict.fromkeys(names))}  # a run that went on may have had others before


def newest_run(checkpoint: str, folder: Path = Path("runs")) -> Path:
    """The run under `folder` with the newest `last.pt` or `best.pt`; raises InputError when there is none."""
    found = sorted(folder.glob(f"*/{checkpoint}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise InputError(f"no run with a {checkpoint} under {folder}/. `noisewatch train` makes one, or name it.")
    return found[-1].parent


def new_run(folder: Path = Path("runs")) -> Path:
    """A folder for a run that nobody named: its date and time."""
    return folder / f"{datetime.now():%Y-%m-%d_%H%M%S}"
