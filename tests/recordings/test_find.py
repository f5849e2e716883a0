"""Words on the command line, and the recordings that they name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines, reports


def test_patterns_and_names_that_look_like_them(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/x.wav", "a/y.wav", "take [1].wav"):
        sf.write(tmp_path / name, samples, rate)
    done = run("scan", "**/*.wav", "take [1].wav", "a", "--format", "jsonl", cwd=tmp_path)
    assert sorted(r["path"] for r in lines(done.stdout, "file")) == ["a/b/x.wav", "a/y.wav", "take [1].wav"]


def test_an_empty_folder_is_said(run, tmp_path: Path):
    done = run("scan", tmp_path)
    assert done.returncode == 6
    assert "no recordings in the folder" in done.stderr


def test_a_folder_that_is_closed_is_said(run, tmp_path: Path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("nothing is closed to root")
    (tmp_path / "closed").mkdir(mode=0)
    done = run("scan", tmp_path, DEMO, "--strict")
    assert done.returncode == 6
    assert "Permission denied" in done.stderr


def test_one_file_that_does_not_fit_ends_nothing(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=5 * 16_000)
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32) * 0.05
    sf.write(tmp_path / "stereo.wav", np.stack([samples, samples + noise], 1), rate)
    sf.write(tmp_path / "mono.wav", samples, rate)
    (tmp_path / "take.raw").write_bytes(b"x" * 1000)
    done = run("scan", tmp_path, tmp_path / "take.raw", "x" * 300, "", "--channel", "2", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    found = reports(done.stdout)
    assert found["stereo.wav"]["noisy"] == 1
    whys = {"mono.wav": "no channel 2", "take.raw": "no header", "x" * 300: "too long", "": "nothing"}
    for name, why in whys.items():
        assert why in found[name]["error"]
    # A report on another channel is not reused.
    out = tmp_path / "out"
    for channel, share in ((1, 0), (2, 1), (1, 0)):
        run("scan", tmp_path / "stereo.wav", "-o", out, "--resume", "--channel", channel)
        assert reports((out / "noisewatch.jsonl").read_text())["stereo.wav"]["noisy"] == share
