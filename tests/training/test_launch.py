"""Several processes share a batch and learn what one learns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from runs import SMALLEST, logged

from noisewatch.training import fit


def _loss(run: Path) -> float:
    (row,) = logged(run)
    return float(row["loss"])


@pytest.fixture(scope="module")
def alone(toy_set: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """The loss of a run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    fit.fit(toy_set, folder / "one", SMALLEST | {"windows": 64}, cache=cache)
    return _loss(folder / "one")


@pytest.mark.parametrize("by", ["torchrun", "--devices"])
def test_two_processes_learn_what_one_does(alone: float, toy_set: Path, cache: Path, tmp_path: Path, by: str):
    options = ["--net", "dense", "--epochs", "1", "--windows", "64", "--batch", "16", "--workers", "0"]
    options += ["--cache", str(cache), "-o", str(tmp_path / "two")]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2"] if by == "torchrun" else []
    devices = [] if by == "torchrun" else ["--devices", "2"]
    command = [sys.executable, *torchrun, "-m", "noisewatch", "train", str(toy_set), *options, *devices]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/tmp", timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "two" / "best.pt")]
    # Not equal: each process normalises its half of a batch with statistics of its own.
    assert _loss(tmp_path / "two") == pytest.approx(alone, rel=0.03)


def test_a_batch_that_cannot_be_shared_is_refused_before_processes_start(invoke, toy_set: Path, tmp_path: Path):
    done = invoke("train", toy_set, "--net", "dense", "--devices", "9", "-o", tmp_path / "nine")
    assert done.returncode == 2
    assert done.stderr == (
        "noisewatch: a batch of 64 cannot be shared by 9 processes; allowed: multiples of 9, from 18.\n"
    )
