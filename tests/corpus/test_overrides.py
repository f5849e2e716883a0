"""Overrides of the training distribution in recipes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from noisewatch import UsageError
from noisewatch.corpus.overrides import changed, scene_config


def test_values_replace_the_defaults():
    config = scene_config({"voice": {"level_dbfs": [-30, -20]}, "noise": {"kinds": {"tones": 1}}})
    assert config.voice.level_dbfs == (-30.0, -20.0)
    assert config.noise.kinds["tones"] == 1
    assert sum(config.noise.kinds.values()) == 1
    assert set(changed(config)) == {"voice.level_dbfs", *(f"noise.kinds.{k}" for k in config.noise.kinds)}
    assert changed(scene_config({})) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"voise": {}}, "scene sets 'voise', which does not exist. Did you mean voice?"),
        ({"voice": {"level_dbfs": [-20, -30]}}, "two numbers, the lower one first"),
        ({"noise": {"kinds": {"music": 1}}}, "weights of recording"),
        ({"noise": {"kinds": {"tones": 0}}}, "not all 0"),
        ({"room": {"share": 2}}, "0 to 1"),
        ({"voice": 3}, "a table"),
        ({"muted_share": True}, "allowed: numbers"),
    ],
)
def test_faulty_values_are_refused(given: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=re.escape(message)):
        scene_config(given)
