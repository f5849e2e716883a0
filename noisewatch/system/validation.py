"""Validation of values that come from files."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "None": (type(None),),
    "dict": (dict,), "list": (list,), "tuple": (tuple, list),
}  # fmt: skip


def parse_toml(text: str) -> dict[str, Any]:
    """The values of a TOML document. Raises ValueError with the reason why it is not valid."""
    try:
        values = tomllib.loads(text)
        repr(values)  # an integer may be too long for the error messages that quote it
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(str(error).partition(";")[0]) from error
    return values


def validated(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values after checking that those for fields of a dataclass have the field's type and are finite.

    Values without a field are passed through. The items of lists and dictionaries are not checked. Raises TypeError
    or ValueError.
    """
    for field in fields(cls):
        if field.name not in values:
            continue
        value = values[field.name]
        types = tuple(t for part in str(field.type).split(" | ") for t in _TYPES.get(part.partition("[")[0], ()))
        if types and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            raise TypeError(f"{field.name} is {type(value).__name__}, not {field.type}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field.name} is {value}")
        if isinstance(value, int) and abs(value) >= 1 << 63:
            raise ValueError(f"{field.name} has {len(bin(value)) - 2} bits")
    return dict(values)


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the closest known name, or lists all."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"Did you mean {close[0]}?" if close else f"Allowed: {', '.join(known)}."
