"""Words on the command line, and the recordings that they match."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, reports

from noisewatch.recordings.file_report import FileReport
from noisewatch.recordings.find import find


def test_patterns_and_names_that_look_like_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/x.wav", "a/y.wav", "a/notes.txt", "a/.hidden.wav", "take [1].wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert find(["a"]) == [Path("a/y.wav"), Path("a/b/x.wav")]
    assert find(["a/*.wav"]) == [Path("a/y.wav")]
    once = find(["**/*.wav", "take [1].wav", "a", str(tmp_path / "a" / "y.wav")])
    assert sorted(map(str, once)) == ["a/b/x.wav", "a/y.wav", "take [1].wav"]
    assert find(["a/notes.txt"]) == [Path("a/notes.txt")]  # a file that is named is tried, whatever its suffix


def test_a_folder_is_entered_once(tmp_path: Path):
    (tmp_path / "x.wav").touch()
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "copy.wav").symlink_to("x.wav")
    assert find([tmp_path, tmp_path / "loop"]) == [tmp_path / "copy.wav"]  # the first name of the file


def test_words_that_match_nothing_have_a_report(tmp_path: Path):
    for word, sentence in ((str(tmp_path), "no recordings in the folder"), ("x?.wav", "nothing matches 'x?.wav'"),
                           ("", "nothing matches ''"), ("x" * 300, "File name too long")):  # fmt: skip
        (report,) = find([word])
        assert isinstance(report, FileReport)
        assert sentence in (report.error or "")


def test_a_folder_without_permission_is_reported(run, tmp_path: Path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("root may read every folder")
    (tmp_path / "closed").mkdir(mode=0)
    done = run("scan", tmp_path, DEMO, "--strict")
    assert done.returncode == 6
    assert "Permission denied" in done.stderr


def test_files_that_cannot_be_judged_do_not_stop_a_scan(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=5 * 16_000)
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32) * 0.05
    sf.write(tmp_path / "stereo.wav", np.stack([samples, samples + noise], 1), rate)
    sf.write(tmp_path / "mono.wav", samples, rate)
    (tmp_path / "take.raw").write_bytes(b"x" * 1000)
    done = invoke("scan", tmp_path, tmp_path / "take.raw", "x" * 300, "", "--channel", "2", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    found = reports(done.stdout)
    assert found["stereo.wav"]["noisy"] == 1
    whys = {"mono.wav": "no channel 2", "take.raw": "no header", "x" * 300: "too long", "": "nothing"}
    for name, why in whys.items():
        assert why in found[name]["error"]
