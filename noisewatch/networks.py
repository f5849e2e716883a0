"""The networks there are: what each costs, and how well it does by its report."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from .core.model import Model
from .core.shipped import DEFAULT, shipped_models

RUNS = 30


@dataclass(frozen=True)
class Network:
    """A network, shipped or to be trained. None: not known here."""

    name: str
    shipped: bool
    default: bool
    parameters: int | None
    macs: int | None  # multiply-accumulates for one window
    kib: float | None  # of its file
    ms: float | None  # for one window on this machine, one thread
    auc: float | None  # mean over 0, 5, 10, 15, 20 dB on unseen voices and noises, from its report
    live: float | None  # AUC over quiet rooms, noise alone, dense speech, gated noise


def shipped() -> list[Network]:
    """The models in the package, timed here."""
    return [_shipped(name) for name in shipped_models()]


def _shipped(name: str) -> Network:
    model = Model(name)
    auc, live = reported(name)
    window = np.full((model.frames, model.card.frontend.n_mels), -10.0, np.float32)
    state, times = model.initial_state(), []
    for _ in range(RUNS):
        began = time.perf_counter()
        model(window, -26.0, state)
        times.append(time.perf_counter() - began)
    return Network(
        name=name,
        shipped=True,
        default=name == DEFAULT,
        parameters=model.card.parameters or None,
        macs=model.card.macs or None,
        kib=model.path.stat().st_size / 1024,
        ms=statistics.median(times) * 1000,
        auc=auc,
        live=live,
    )


def reported(name: str) -> tuple[float | None, float | None]:
    """AUC at 0-20 dB and over `live` in a network's report, which ships also where the network is too large to."""
    file = resources.files("noisewatch.models").joinpath(f"{name}-report.json")
    if not file.is_file():
        return None, None
    figures: dict[str, Any] = json.loads(file.read_text())["scorers"][name]
    return figures["auc"]["0-20 dB"][0], figures["live"]["all"][0]
