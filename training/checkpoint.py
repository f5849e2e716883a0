"""Checkpoints: tensors and plain values, complete or not at all; and the folders that runs live in."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from noisewatch.errors import InputError, UsageError
from noisewatch.frontend import FrontendConfig
from noisewatch.sinks import atomic_write

from .config import TrainConfig
from .manifest import Row
from .nets import NETS
from .nets.duo import Duo
from .teachers import Teachers

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


def begin_with(net: nn.Module, name: str, runs: Sequence[str]) -> dict[str, Any]:
    """Give a network the weights of a run, or its part of a duo's; each member of a duo those of a run of its own.

    Returns their card of data. Raises UsageError where these are runs of other networks, InputError for what is no
    checkpoint.
    """
    paths = [best_of(Path(run)) for run in runs]
    states = [load_checkpoint(path) for path in paths]
    found = [state["config"]["net"] for state in states]
    parts: dict[str, nn.Module] = {name: net}
    if isinstance(net, Duo) and found != [name]:
        parts = dict(net.members.items())
    taken = found
    if found == ["duo"] and (member := _member(states[0]["net"], name)):
        taken, states = [name], [{**states[0], "net": member}]
    if sorted(taken) != sorted(parts):
        each = f", or with one of each of: {', '.join(parts)}" if isinstance(net, Duo) else ""
        raise UsageError(
            f"{' and '.join(runs)} hold {' and '.join(found)}; {name} begins with a run of {name}{each}."
        )
    card: dict[str, Any] = {"sources": [], "shippable": True}
    begun = []
    for path, part, state in zip(paths, taken, states, strict=True):
        parts[part].load_state_dict(state["net"])
        data = json.loads(state["data"])
        card = merged(card, {**data, "teachers": []})  # those taught the other run, by its own trust
        digest = hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()
        by = f", taught by {', '.join(data['teachers'])}" if data.get("teachers") else ""
        with_ = f", begun with ({'; '.join(data['begun_with'])})" if data.get("begun_with") else ""
        begun.append(f"{state['config']['net']} {digest} at step {state['step']}{by}{with_}")
    return {**card, "begun_with": begun}


def _member(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The weights of one member of a duo; none where it has no such member."""
    prefix = f"members.{name}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def best_of(run: Path) -> Path:
    """The checkpoint that a run's folder, or its own path, stands for."""
    return run if run.suffix == ".pt" or os.path.isfile(run) else run / "best.pt"  # noqa: PTH113


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
    """The card of data of weights that learned from both."""
    known = [s for s in before["sources"] if s not in now["sources"]]
    return {
        "sources": known + now["sources"],
        "shippable": before["shippable"] and now["shippable"],
        "teachers": list(dict.fromkeys([*before.get("teachers", []), *now.get("teachers", [])])),
        "begun_with": before.get("begun_with", []),
    }


def taught(card: dict[str, Any], teachers: Teachers) -> dict[str, Any]:
    """The card of data of a run with teachers: what they learned from has come with them."""
    for model, name in zip(teachers.models, teachers.known_as, strict=True):
        told = {"sources": model.card.trained_on, "shippable": model.card.shippable, "teachers": [name]}
        card = merged(card, told)
    return card


def newest_run(checkpoint: str, folder: Path = Path("runs")) -> Path:
    """The run under `folder` with the newest `last.pt` or `best.pt`; raises InputError when there is none."""
    found = sorted(folder.glob(f"*/{checkpoint}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise InputError(f"no run with a {checkpoint} under {folder}/. `noisewatch train` makes one, or name it.")
    return found[-1].parent


def new_run(folder: Path = Path("runs")) -> Path:
    """A folder for a run that nobody named: its date and time."""
    return folder / f"{datetime.now():%Y-%m-%d_%H%M%S}"
