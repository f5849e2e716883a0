"""`models`: the networks that ship, and those that can be trained."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from noisewatch.cli.app import app
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT, shipped_models


@pytest.mark.extras
def test_models_lists_what_ships_and_what_can_be_trained(invoke):
    from noisewatch.training.nets import NETS

    found = {n["name"]: n for n in map(json.loads, invoke("models", "--json").stdout.splitlines())}
    assert set(found) >= set(NETS)
    assert [n["name"] for n in found.values() if n["default"]] == [DEFAULT]
    assert found[DEFAULT]["ms"] > 0
    assert found["bcresnet16"]["parameters"] > found["bcresnet8"]["parameters"] > 320_000
    shipped = {name for name, network in found.items() if network["shipped"]}
    assert all(0.9 < found[name][figure] < 1 for name in shipped for figure in ("auc", "live"))
    assert all(found[name]["auc"] is None for name in set(NETS) - shipped)  # an AUC belongs to weights
    table = CliRunner().invoke(app, "models", env={"COLUMNS": "160"}).stdout
    assert DEFAULT in table
    assert (
        "from each model's report on the test split" in table
    )  # the fixed windows in README give different figures
    narrow = CliRunner().invoke(app, "models", env={"COLUMNS": "80"}).stdout
    assert all(name in narrow for name in found)
    auc, live = (f"{found[DEFAULT][figure]:.3f}".removeprefix("0") for figure in ("auc", "live"))
    page = " ".join((ROOT / "docs" / "evaluation.md").read_text().split())
    assert f"their AUC: for `{DEFAULT}`, {auc} at 0-20 dB and {live} over everything." in page


@pytest.mark.parametrize("name", shipped_models())
def test_the_figures_on_a_card_are_those_of_the_report(name: str):
    figures = json.loads((ROOT / "models" / "reports" / f"{name}.json").read_text())["scorers"][name]
    card = Model(name).card
    assert card.test_metrics == {
        "auc_0_20_db": figures["auc"]["0-20 dB"][0],
        "auc_live": figures["live"]["all"][0],
    }
    assert card.threshold == figures["threshold"]
