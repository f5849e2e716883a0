"""The networks that ship: size, cost of one window on this machine, figures from their reports."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from ..core.model import Model
from ..core.reference import ASSUMED_DBFS
from ..core.shipped import DEFAULT, shipped_models

RUNS = 30


@dataclass(frozen=True)
class Network:
    """A network that ships or can be trained. None: unknown."""

    name: str
    shipped: bool
    default: bool
    parameters: int | None
    macs: int | None  # multiply-accumulates for one window
    kib: float | None  # size of the file
    ms: float | None  # for one window on this machine, one thread
    auc: float | None  # from its report: mean over 0, 5, 10, 15 and 20 dB; None if no weights ship
    live: float | None  # from its report: AUC over quiet rooms, noise alone, dense speech and gated noise
    threshold: float | None


def shipped() -> list[Network]:
    """The models in the package, timed on this machine."""
    return [_measured(name) for name in shipped_models()]


def _measured(name: str) -> Network:
    model = Model(name)
    card = model.card
    return Network(
        name=name,
        shipped=True,
        default=name == DEFAULT,
        parameters=card.parameters or None,
        macs=card.macs or None,
        kib=model.path.stat().st_size / 1024,
        ms=decision_ms(model),
        auc=card.test_metrics.get("auc_0_20_db"),
        live=card.test_metrics.get("auc_live"),
        threshold=card.threshold,
    )


def decision_ms(model: Model) -> float:
    """Median time for one decision, ms."""
    frames = np.full((model.step or model.frames, model.card.frontend.n_mels), -10.0, np.float32)
    reference, times = np.array([ASSUMED_DBFS], np.float32), []
    state = model.initial_state() if model.step else None
    for _ in range(RUNS):
        began = time.perf_counter()
        if state is None:
            model.judge(frames, ASSUMED_DBFS)
        else:
            model.advance(frames[None], reference, state)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000
