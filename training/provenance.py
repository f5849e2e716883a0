"""Where weights come from: recordings and licences, teachers, and the runs that gave the initial weights."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from noisewatch.core.shipped import shipped_models
from noisewatch.corpus.manifest import Row
from noisewatch.errors import UsageError

from .checkpoint import best_of, load_checkpoint
from .distill import Teachers
from .model_weights import weights_of
from .nets.duo import Duo


def init_weights(net: nn.Module, name: str, runs: Sequence[str]) -> dict[str, Any]:
    """Load the weights of a run or model into a network: its own, its member of a duo, or for a duo one per member.

    Returns the provenance of the weights. Raises UsageError for runs of other networks, InputError for a file that
    is not a checkpoint, ModelError for one that is not a model.
    """
    states = [initial_state(run) for run in runs]
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
            f"{' and '.join(runs)} hold {' and '.join(found)}; {name} starts from a run of {name}{each}."
        )
    card: dict[str, Any] = {"sources": [], "shippable": True}
    origins = []
    for part, state in zip(taken, states, strict=True):
        parts[part].load_state_dict(state["net"])
        data = json.loads(state["data"])
        card = merged(card, {**data, "teachers": []})  # the teachers of the other run
        without = f" without {', '.join(state['missing'])}" if state.get("missing") else ""
        by = f", distilled from {', '.join(data['teachers'])}" if data.get("teachers") else ""
        after = f", initialised from ({'; '.join(data['init_from'])})" if data.get("init_from") else ""
        origins.append(f"{state['config']['net']} {state['digest']} at step {state['step']}{without}{by}{after}")
    return {**card, "init_from": origins}


def initial_state(source: str) -> dict[str, Any]:
    """The state in a run's folder or a checkpoint; or that in a model, shipped or an ONNX file."""
    path = Path(source)
    if path.suffix == ".onnx" or (source in shipped_models() and not path.exists()):
        return weights_of(source)
    path = best_of(path)
    return {**load_checkpoint(path), "digest": hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()}


def _member(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The weights of one member of a duo; empty if it has no such member."""
    prefix = f"members.{name}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def data_card(rows: Sequence[Row]) -> dict[str, Any]:
    """Sources, minutes and licences of the training split, and whether the weights may be shipped."""
    used: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.split == "train":
            used["made" if row.style == "made" else row.kind, row.source].append(row)
    sources = [
        {
            "kind": kind,
            "source": source,
            "minutes": round(sum(r.seconds for r in mine) / 60, 1),
            "licence": "; ".join(sorted({r.licence for r in mine})),
        }
        for (kind, source), mine in sorted(used.items())
    ]
    return {
        "sources": sources,
        "shippable": all(r.ship == "yes" for r in rows if r.split in ("train", "val")),
    }


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The provenance of weights trained on both. A source that both have is listed as it is now."""
    listed = {(s.get("kind"), s.get("source")) for s in now["sources"]}
    known = [s for s in before["sources"] if (s.get("kind"), s.get("source")) not in listed]
    return {
        "sources": known + now["sources"],
        "shippable": before["shippable"] and now["shippable"],
        "teachers": list(dict.fromkeys([*before.get("teachers", []), *now.get("teachers", [])])),
        "init_from": before.get("init_from", []),
    }


def distilled(card: dict[str, Any], teachers: Teachers) -> dict[str, Any]:
    """The provenance of a run with teachers, which includes the data that they were trained on."""
    for model, name in zip(teachers.models, teachers.labels, strict=True):
        theirs = {"sources": model.card.trained_on, "shippable": model.card.shippable, "teachers": [name]}
        card = merged(card, theirs)
    return card
