"""Recipes: what they set, what they refuse, and that those named on the cards made the models."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import ROOT

from noisewatch import InputError, UsageError
from noisewatch.core.model import Model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.overrides import changed
from noisewatch.training.config import TrainConfig, configured
from noisewatch.training.dataset import Windows


def test_options_override_the_recipe(tmp_path: Path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('net = "dense"\nlr = 0.01\n')
    config = configured({"lr": 0.02, "epochs": 3}, recipe)
    assert (config.net, config.lr, config.epochs) == ("dense", 0.02, 3)
    recipe.write_text("epoch = 3\n")
    with pytest.raises(UsageError, match=r"mine.toml sets the unknown option 'epoch'.*Did you mean epochs"):
        configured({}, recipe)
    for wrong in ("epochs = \n", "epochs = " + "9" * 5000):
        recipe.write_text(wrong)
        with pytest.raises(InputError, match="not valid TOML"):
            configured({}, recipe)
    recipe.unlink()
    os.mkfifo(recipe)
    with pytest.raises(InputError, match="not a regular file"):
        configured({}, recipe)
    for options in (
        {"lr": 2.0},
        {"net": "alexnet"},
        {"precision": "8"},
        {"batch": "64"},
        {"teachers": "tcn"},
        {"teachers": 3},
        {"init_from": "runs/mhatt"},
    ):
        with pytest.raises(UsageError, match=r"allowed|there are"):
            configured(options)


def test_a_recipe_sets_the_training_distribution(tmp_path: Path, catalogue: Catalogue):
    recipe = tmp_path / "hum.toml"
    recipe.write_text(
        'net = "dense"\n[scene.noise.kinds]\ntones = 1\n[scene.tones]\nmains_share = 1\nmains_hz = [50]\n'
        "[scene.voice]\nlevel_dbfs = [-30, -20]\n"
    )
    config = configured({}, recipe)
    assert TrainConfig(**json.loads(json.dumps(asdict(config)))) == config  # as a checkpoint and a card store it
    assert changed(config.scene)["voice.level_dbfs"] == (-30, -20)
    assert changed(configured({}).scene) == {}
    for n in range(40):
        scene = Windows(catalogue, 0, 40, config.scene).scene(n)
        assert scene.noise is None or scene.noise.kind == "tones"
    for text, said in (
        ("[scene.voise]", "Did you mean voice"),
        ("[scene.voice]\nlevel_dbfs = [-20, -30]", "the lower one first"),
        ("[scene.noise.kinds]\nmusic = 1", "weights of recording"),
        ("[scene.room]\nshare = 2", "0 to 1"),
        ("scene = 3", "a table"),
    ):
        recipe.write_text(text + "\n")
        with pytest.raises(UsageError, match=said):
            configured({}, recipe)


@pytest.mark.parametrize("name", ["bcresnet1", "duo", "mhatt", "tcn"])
def test_the_command_on_a_card_is_the_run_that_made_the_file(name: str):
    command = re.search(r"by `noisewatch train DATA (.*?)`", (ROOT / "models" / f"{name}.md").read_text())
    assert command
    words = command[1].split()
    given: dict[str, object] = dict(zip((w.removeprefix("--") for w in words[::2]), words[1::2], strict=True))
    recipe = ROOT / str(given.pop("recipe")) if "recipe" in given else None
    given.pop("init-from", None)  # the card names the run elsewhere
    for key, kind in (("epochs", int), ("windows", int), ("batch", int), ("lr", float), ("seed", int)):
        given |= {key: kind(given[key])} if key in given else {}
    stated = json.loads(json.dumps(asdict(configured(given, recipe))))
    made = Model(name).card.training
    shaped = set(stated) & set(made) - {"init_from", "teachers", "workers"}  # these are stored with digests
    assert {key: made[key] for key in shaped} == {key: stated[key] for key in shaped}
