"""The training loop as a command: from recordings to a verdict, interrupted, resumed, diverged, on a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import largest_file, wait_for
from runs import SMALLEST, logged, write_model

from noisewatch import InputError, NoisewatchError, OutputError
from noisewatch.core.model import Model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import read_manifest
from noisewatch.training import fit
from noisewatch.training.dataset import Windows

TINY = ("--epochs", "2", "--windows", "128", "--batch", "16", "--workers", "1")


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few validation windows for runs in this process."""
    monkeypatch.setattr(fit, "VALIDATION_BATCH", 16)


def test_prepare_train_export_listen(run, toy_set: Path):
    folder = toy_set.parent / "runs" / "first"
    recipe = toy_set.parent / "distilled.toml"
    theirs = {"sources": [{"kind": "noise", "source": "theirs"}], "shippable": True}
    teacher = write_model(toy_set.parent / "teacher.onnx", "dense", theirs)
    recipe.write_text(f'net = "mhatt"\nunique_windows = 300\nbatch_augment = 0.5\nteachers = ["{teacher}"]\n')
    done = run("train", toy_set, "-o", folder, "--recipe", recipe, *TINY, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "epoch 2: loss" in done.stderr
    assert done.stdout.strip() == str(folder / "best.pt")
    # Bare: the newest run under ./runs.
    done = run("export-onnx", "-o", "mine.onnx", cwd=toy_set.parent, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "differ by" in done.stderr
    card = Model(toy_set.parent / "mine.onnx").card
    assert card.name == "mine"
    assert not card.shippable  # the folders of a user are marked ship=no until they say otherwise
    assert {s["source"] for s in card.trained_on} == {"speech", "noise", "theirs"}
    assert card.training["teachers"] == [f"teacher {Model(teacher).digest}"]
    done = run("listen", "demo", "--fast", "--json", "--model", toy_set.parent / "mine.onnx")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 100
    log = logged(folder)
    assert [row["epoch"] for row in log] == ["1", "2"]
    assert all(0 <= float(row["auc"]) <= 1 for row in log)


def test_without_data_training_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(InputError, match="noisewatch prepare"):
        fit.fit(tmp_path / "data", tmp_path / "run", SMALLEST)


@pytest.mark.usefixtures("briefly")
def test_a_full_disk_is_an_error_and_leaves_nothing_half_written(toy_set: Path, cache: Path, tmp_path: Path):
    with largest_file(200_000), pytest.raises(OutputError, match="cannot write"):
        fit.fit(toy_set, tmp_path / "run", SMALLEST, cache=cache)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["config.json"]


@pytest.mark.usefixtures("briefly")
def test_outputs_that_are_not_finite_are_an_error(
    toy_set: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    validated = fit.validate
    monkeypatch.setattr(fit, "validate", lambda net, windows: validated(_broken(net), windows))
    with pytest.raises(
        NoisewatchError, match=r"validation windows are not finite at step 2\. Start again, and try"
    ):
        fit.fit(toy_set, tmp_path / "run", SMALLEST, cache=cache)
    assert not (tmp_path / "run" / "best.pt").exists()


@pytest.mark.usefixtures("briefly")
def test_a_loss_that_is_not_finite_names_the_recordings(
    toy_set: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw = Windows.__getitem__

    def broken(self: Windows, n: int):
        x, *rest = draw(self, n)
        return x * (float("nan") if n == 21 else 1.0), *rest

    monkeypatch.setattr(Windows, "__getitem__", broken)
    catalogue, _ = Catalogue.load(read_manifest(toy_set), "train")
    used = ", ".join(Windows(catalogue, 0, 64, SceneConfig()).recordings(21))
    with pytest.raises(NoisewatchError) as caught:
        fit.fit(toy_set, tmp_path / "run", SMALLEST | {"windows": 64}, cache=cache)
    assert f"the loss is nan at step 1, by a window of {used or 'generated noise alone'}:" in str(caught.value)


def _broken(net):
    with torch.no_grad():
        net.out.bias.fill_(float("nan"))
    return net


@pytest.mark.usefixtures("briefly")
def test_ctrl_c_saves_and_resume_goes_on(toy_set: Path, cache: Path, tmp_path: Path):
    folder = tmp_path / "run"
    options = ["--net", "dense", "--windows", "32", "--batch", "16", "--epochs", "500", "--cache", str(cache)]
    options.append("--resume")  # from the start, as a scheduled job would
    command = [sys.executable, "-m", "noisewatch", "train", str(toy_set), "-o", str(folder), *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/tmp"
    ) as process:
        wait_for((folder / "last.pt").exists, 120)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert f"no run in {folder} yet: starting one" in err
    assert "--resume" in err
    assert "Traceback" not in err
    before = len(logged(folder))
    assert before >= 1
    with pytest.raises(OutputError, match="Go on with --resume"):  # a run is not overwritten
        fit.fit(toy_set, folder, SMALLEST)
    assert fit.fit(toy_set, folder, {"epochs": before + 1}, resume=True, cache=cache) == folder / "best.pt"
    assert len(logged(folder)) == before + 1
