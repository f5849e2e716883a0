"""Overrides of the training distribution from recipes and checkpoints, validated against its defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

from ..errors import UsageError
from ..system.validation import suggest
from .config import PAIRS, SceneConfig


def scene_config(given: Mapping[str, Any]) -> SceneConfig:
    """The defaults with the given values applied. Raises UsageError for unknown names and invalid values."""
    config: SceneConfig = _over(SceneConfig(), given, "scene")
    return config


def changed(config: SceneConfig) -> dict[str, Any]:
    """Values that differ from the defaults, by dotted name."""
    return dict(_changed(asdict(SceneConfig()), asdict(config), ""))


def _changed(before: dict[str, Any], now: dict[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for name, value in now.items():
        if isinstance(value, dict):
            yield from _changed(before[name], value, f"{where}{name}.")
        elif value != before[name]:
            yield f"{where}{name}", value


def _over(base: Any, given: object, where: str) -> Any:
    if not isinstance(given, Mapping):
        raise UsageError(f"{where} is {given!r}; allowed: a table of named values.")
    known = {f.name: str(f.type) for f in fields(base)}
    values = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"{where} sets {name!r}, which does not exist. {suggest(str(name), sorted(known))}")
        values[name] = _fitted(getattr(base, name), value, f"{where}.{name}", known[name] in PAIRS)
    return replace(base, **values)


def _fitted(default: Any, value: Any, where: str, pair: bool = False) -> Any:
    """The value, validated and converted to the type of the default. pair: it is a range, lower bound first."""
    if is_dataclass(default):
        return _over(default, value, where)
    if isinstance(default, dict):
        if not isinstance(value, Mapping) or not set(value) <= set(default):
            raise UsageError(f"{where} is {value!r}; allowed: weights of {', '.join(default)}.")
        weights = {name: _number(value.get(name, 0.0), where) for name in default}
        if min(weights.values()) < 0 or not sum(weights.values()) > 0:
            raise UsageError(f"{where} is {value!r}; allowed: weights of 0 or more, not all 0.")
        return weights
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or len(value) == 0:
            raise UsageError(f"{where} is {value!r}; allowed: a list, such as {list(default)}.")
        if isinstance(default[0], tuple):
            return tuple(_fitted(default[0], v, where) for v in value)
        numbers = tuple(_number(v, where) for v in value)
        if pair and (len(numbers) != 2 or numbers[0] > numbers[1]):
            raise UsageError(f"{where} is {value!r}; allowed: two numbers, the lower one first.")
        return tuple(map(int, numbers)) if isinstance(default[0], int) else numbers
    number = _number(value, where)
    if where.endswith("share") and not 0 <= number <= 1:
        raise UsageError(f"{where} is {value!r}; allowed: 0 to 1.")
    return number


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise UsageError(f"{where} contains {value!r}; allowed: numbers.")
    return float(value)
