"""Values from files, before anything takes them at their word."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "None": (type(None),),
    "dict": (dict,), "list": (list,), "tuple": (tuple, list),
}  # fmt: skip


def toml(text: str) -> dict[str, Any]:
    """What a TOML text sets. Raises ValueError with the reason why it is none."""
    try:
        given = tomllib.loads(text)
        repr(given)  # as error messages do: an integer may be too long for it
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(str(error).partition(";")[0]) from error
    return given


def checked(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass, once their values are of its types and finite; fields it does not have stay in.

    Only the outer type of lists and dictionaries is looked at. Raises TypeError or ValueError.
    """
    for field in fields(cls):
        if field.name not in given:
            continue
        value = given[field.name]
        kinds = tuple(k for part in str(field.type).split(" | ") for k in _KINDS.get(part.partition("[")[0], ()))
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TypeError(f"{field.name} is {type(value).__name__}, not {field.type}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field.name} is {value}")
        if isinstance(value, int) and abs(value) >= 1 << 63:
            raise ValueError(f"{field.name} has {len(bin(value)) - 2} bits")
    return dict(given)


def nearest(word: str, names: Iterable[str]) -> str:
    """The right name, or all of them."""
    near = difflib.get_close_matches(word, list(names), 1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
