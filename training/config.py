"""The configuration of a training run, and the recipes that set it for each network."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.overrides import scene_config
from noisewatch.errors import InputError, UsageError
from noisewatch.system.paths import MAX_CONFIG_BYTES, read_regular_file
from noisewatch.system.validation import parse_toml

from .nets import NETS

PRECISIONS: dict[str, Literal["bf16-mixed", "16-mixed"] | None] = {  # and what Fabric calls them
    "32": None,
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}
_RANGES: tuple[tuple[str, type, float, float], ...] = (
    ("epochs", int, 1, 100_000),
    ("windows", int, 1, 10**9),
    ("batch", int, 2, 10**6),
    ("lr", float, 1e-9, 1),
    ("weight_decay", float, 0, 10),
    ("warmup", float, 0, 1),
    ("unique_windows", int, 0, 10**9),
    ("distill_weight", float, 0, 1),
    ("batch_augment", float, 0, 1),
    ("patience", int, 0, 100_000),
    ("seed", int, 0, 2**32 - 1),
    ("workers", int, 0, 1024),
)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a run depends on besides its data. Stored in the checkpoint."""

    net: str = DEFAULT
    epochs: int = 20
    windows: int = 16_000  # per epoch
    unique_windows: int = 0  # drawn once and then repeated; 0: no window is repeated
    init_from: tuple[str, ...] = ()  # run that gives the initial weights; for a duo also two, one per member
    teachers: tuple[str, ...] = ()  # models for knowledge distillation
    distill_weight: float = 0.7  # weight of the teachers' outputs against the labels
    batch_augment: float = 0.0  # share of each batch that is augmented
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05  # linear learning-rate warm-up, as a share of the run
    precision: str = "32"
    patience: int = 0  # early stopping after so many epochs without improvement; 0: never
    seed: int = 0
    workers: int = 2
    scene: SceneConfig = field(default_factory=SceneConfig)  # the training distribution

    def __post_init__(self) -> None:
        if not isinstance(self.scene, SceneConfig):  # a recipe's table or a checkpoint's dictionary
            object.__setattr__(self, "scene", scene_config(self.scene))
        for name, such_as in (("teachers", '["mhatt", "x.onnx"]'), ("init_from", '["runs/mhatt"]')):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise UsageError(f"{name} is {value!r}; allowed: a list, such as {such_as}.")
            object.__setattr__(self, name, tuple(value))  # from a TOML or JSON list
        for name, kind, low, high in _RANGES:
            value = getattr(self, name)
            fits = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
            if not fits or not low <= value <= high:
                whole = "whole numbers from " if kind is int else ""
                raise UsageError(f"{name} is {value!r}; allowed: {whole}{low:g} to {high:g}.")
        if self.net not in NETS:
            raise UsageError(f"unknown network {self.net!r}; allowed: {', '.join(NETS)}.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision is {self.precision!r}; allowed: {', '.join(map(repr, PRECISIONS))}.")

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch, at least one."""
        return max(1, self.windows // self.batch)

    @property
    def validation_batches(self) -> int:
        """Batches of 128 validation windows: an eighth of the windows of an epoch, at most 2048."""
        return min(16, max(1, self.windows // 1024))

    @property
    def steps(self) -> int:
        """Optimiser steps in the run."""
        return self.epochs * self.steps_per_epoch

    def rate(self, step: int) -> float:
        """Learning rate at a step: linear warm-up, then cosine decay to 1 %."""
        warm = max(1, int(self.warmup * self.steps))
        if step < warm:
            return self.lr * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return self.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def configured(options: Mapping[str, Any], recipe: Path | None = None) -> TrainConfig:
    """The configuration of a new run: options over the recipe, by default the network's own.

    Raises UsageError for unknown keys and values out of range, InputError for a file that is not TOML.
    """
    if recipe is not None:
        given = read_recipe(recipe.name, _text(recipe))
    else:
        net = str(options.get("net", DEFAULT))
        shipped = resources.files("noisewatch.training").joinpath(f"recipes/{net}.toml")
        given = read_recipe(f"{net}.toml", shipped.read_text()) if shipped.is_file() else {}
    return TrainConfig(**{**given, **options})


def _text(path: Path) -> str:
    try:
        return read_regular_file(path, MAX_CONFIG_BYTES).decode()
    except OSError as error:
        raise InputError(f"cannot read the recipe {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read the recipe {path}: {error}.") from error


def read_recipe(name: str, text: str) -> dict[str, Any]:
    """The options that a TOML text sets. Raises UsageError for unknown keys, InputError for no TOML."""
    try:
        given = parse_toml(text)
    except ValueError as error:
        raise InputError(f"{name} is not valid TOML: {error}.") from error
    known = [f.name for f in fields(TrainConfig)]
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"{name} sets the unknown option {key!r}; allowed: {', '.join(known)}.{meant}")
    return given


def resumed(stored: Mapping[str, Any], options: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a resumed run: only its length, learning rate, workers and teachers may change."""
    if "init_from" in options:
        raise UsageError("a resumed run already has weights: leave out --init-from.")
    for key, value in options.items():
        if key not in ("epochs", "lr", "workers", "teachers") and stored.get(key) != value:
            raise UsageError(
                f"the run started with {key} {stored.get(key)}, which cannot change to {value}. Leave it out."
            )
    return replace(TrainConfig(**stored), **options)
