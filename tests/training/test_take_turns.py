"""The tool that leaves each third of the sources out of training, and measures the network on that third."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT, wait_for

from noisewatch.core.model import Model
from noisewatch.corpus.manifest import read_manifest, write_manifest

RECIPE = 'net = "dense"\nepochs = 1\nwindows = 16\nbatch = 16\nworkers = 0\n'
NAMES = ("alder", "birch", "cedar", "elm", "fir", "hazel")


@pytest.fixture(scope="module")
def sources(toy_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy set as six sources of voices and six of noises."""
    path = tmp_path_factory.mktemp("sources") / "sources.csv"
    rows = read_manifest(toy_set)
    order = {kind: sorted({row.group for row in rows if row.kind == kind}) for kind in ("speech", "noise")}
    named = [
        replace(row, source=f"{NAMES[order[row.kind].index(row.group) % 6]}_{row.kind}", split="train")
        for row in rows
    ]
    write_manifest(path, named)
    return path


@pytest.fixture
def tool() -> ModuleType:
    """The tool as a module, for one third of three: each takes as long as the others."""
    spec = importlib.util.spec_from_file_location("take_turns", ROOT / "tools" / "take_turns.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.THIRDS = (1,)
    return tool


def stopped(tool: list[object], there: Path) -> str:
    """Start the tool, end it as soon as a file is there, and return what it said."""
    command = [sys.executable, ROOT / "tools" / "take_turns.py", *tool, "--count", 10]
    with subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True) as process:
        wait_for(there.exists, 120)
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=120)[1]


def test_a_trial_goes_on_where_it_stopped(sources: Path, cache: Path, tmp_path: Path, tool: ModuleType):
    recipe, trial = tmp_path / "tiny.toml", tmp_path / "first"
    recipe.write_text(RECIPE)
    err = stopped([sources, "-o", trial, "--recipe", recipe, "--cache", cache], trial / "1" / "run" / "last.pt")
    assert "Traceback" not in err
    assert not (trial / "turns.json").exists()
    for third in (2, 3):  # all thirds were there before the first step
        assert {row.split for row in read_manifest(trial / str(third) / "manifest.csv")} == {"train", "val"}
        shutil.rmtree(trial / str(third))
    (trial / "trial.json").unlink()
    tool.main(sources, trial, recipe, cache=cache, count=10)
    recipe.write_text(RECIPE.replace("epochs = 1", "epochs = 3"))
    with pytest.raises(
        SystemExit, match=f"{trial} was started with epochs 1, not 3. Restore that, or name another"
    ):
        tool.main(sources, trial, recipe, count=10)
    recipe.write_text(RECIPE)

    result = json.loads((trial / "turns.json").read_text(), parse_constant=pytest.fail)
    assert result["steps"]["1"]["train"]["windows_per_s"] > 0
    assert result["turns"]["1"] == result["pooled"]
    assert "Not finished: third 2 and 3." in (trial / "turns.md").read_text()
    learned = {s["source"] for s in Model(trial / "1" / "model.onnx").card.trained_on}
    left_out = {row.source for row in read_manifest(trial / "1" / "manifest.csv") if row.split == "val"}
    assert learned | left_out == {f"{name}_{kind}" for name in NAMES for kind in ("speech", "noise")}
    assert not learned & left_out

    made = {path: path.stat().st_mtime_ns for path in trial.glob("1/*.*")}
    tool.main(sources, trial, recipe, count=10)
    assert made == {path: path.stat().st_mtime_ns for path in trial.glob("1/*.*")}

    second = tmp_path / "second"
    tool.evaluate = lambda *_: None  # measured often enough
    with pytest.raises(SystemExit, match="second has no finished third yet"):
        tool.main(sources, second, recipe, cache=cache, init_from=[trial])
    assert Model(second / "1" / "model.onnx").card.training["init_from"]


def test_weights_that_have_learned_from_what_is_left_out_are_refused(
    sources: Path, tmp_path: Path, tool: ModuleType
):
    recipe = tmp_path / "distilled.toml"
    recipe.write_text(RECIPE + 'teachers = ["dense"]\n')
    with pytest.raises(SystemExit, match="the recipe sets teachers to dense"):
        tool.main(sources, tmp_path / "trial", recipe)
    recipe.write_text(RECIPE)
    other = tmp_path / "other"  # a trial on another division
    for third in (1, 2, 3):
        write_manifest(other / str(third) / "manifest.csv", read_manifest(sources))
        (other / str(third) / "steps.json").write_text('{"train": {"finished": true}}')
    with pytest.raises(SystemExit, match=r"other/1/run has learned from .*, left out here in third 1\. Start from"):
        tool.main(sources, tmp_path / "trial", recipe, init_from=[other])
    with pytest.raises(SystemExit, match=f"{tmp_path}/none/1 holds no finished run. Finish that trial first"):
        tool.main(sources, tmp_path / "trial", recipe, init_from=[tmp_path / "none"])
    assert not (tmp_path / "trial").exists()
