"""Values from files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from noisewatch.system.validation import parse_toml, suggest, validated


@dataclass
class Example:
    name: str
    count: int
    rate: float
    flag: bool = False
    limit: float | None = None
    sizes: tuple[int, ...] = ()


def test_values_of_the_right_type_pass():
    values = {"name": "a", "count": 1, "rate": 2, "flag": True, "limit": None, "sizes": [1], "other": object()}
    assert validated(Example, values) == values
    assert validated(Example, {}) == {}


@pytest.mark.parametrize(
    ("values", "error", "sentence"),
    [
        ({"name": 1}, TypeError, "name is int, not str"),
        ({"count": 1.5}, TypeError, "count is float, not int"),
        ({"count": True}, TypeError, "count is bool, not int"),
        ({"limit": "x"}, TypeError, r"limit is str, not float \| None"),
        ({"sizes": 3}, TypeError, "sizes is int, not tuple"),
        ({"rate": float("nan")}, ValueError, "rate is nan"),
        ({"count": 1 << 70}, ValueError, "count has 71 bits"),
    ],
)
def test_other_values_are_refused(values: dict[str, Any], error: type[Exception], sentence: str):
    with pytest.raises(error, match=sentence):
        validated(Example, values)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a = [" + "[" * 5000, "nested too deeply"), ("a = ", "Invalid value"), ("a = " + "9" * 5000, "digits")],
)
def test_toml_that_cannot_be_read(text: str, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        parse_toml(text)


def test_a_misspelt_name_gets_a_suggestion():
    assert suggest("hopp", ["hop", "model"]) == "Did you mean hop?"
    assert suggest("xyz", ["hop", "model"]) == "Allowed: hop, model."
