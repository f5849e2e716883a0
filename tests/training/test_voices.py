"""Voices made of voices: each change does what it says and nothing else, and the tool makes a usable set."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import ROOT

from noisewatch.audio import levels
from noisewatch.audio.highpass import high_passed
from noisewatch.corpus.manifest import read_manifest, write_manifest
from noisewatch.training.voices.frames import Frames
from noisewatch.training.voices.reshape import reshaped
from noisewatch.training.voices.voice import KINDS, Voice, draw_voice

BINS = 513


@pytest.fixture
def vowel() -> Frames:
    """A second at an F0 of 120 Hz with one formant at 1 kHz; its last quarter is unvoiced."""
    hertz = np.linspace(0, 8000, BINS)
    envelope = np.tile(np.exp(-(((hertz - 1000) / 300) ** 2)) + 1e-6, (200, 1))
    return Frames(np.repeat([120.0, 0.0], [150, 50]), envelope, np.full((200, BINS), 0.2))


def formant(frames: Frames) -> float:
    return float(frames.envelope.mean(0).argmax() * 8000 / (BINS - 1))


def test_pitch_formants_and_duration_move_apart(vowel: Frames):
    rng = np.random.default_rng(0)
    high = reshaped(vowel, Voice("high", 500), rng)
    assert high.median_f0 == pytest.approx(500)
    assert (high.f0 == 0).sum() == 50
    assert formant(high) == formant(vowel)
    small = reshaped(vowel, Voice("child", 120, formants=1.3), rng)
    assert small.median_f0 == pytest.approx(120)
    assert formant(small) == pytest.approx(1300, abs=16)
    for vowels_only, length in ((False, 400), (True, 350)):
        longer = reshaped(vowel, Voice("stretched", 120, stretch=2, vowels_only=vowels_only), rng)
        assert len(longer.f0) == len(longer.envelope) == len(longer.aperiodicity) == length
        assert formant(longer) == formant(vowel)
    sung = reshaped(vowel, Voice("song", 300, notes=True), rng).f0[:50]
    assert 12 * np.log2(sung[20] / 300) == pytest.approx(round(12 * np.log2(sung[20] / 300)), abs=1e-6)
    whispered = reshaped(vowel, Voice("whisper", 0), rng)
    assert not whispered.f0.any()
    assert (whispered.aperiodicity == 1).all()


def test_every_kind_stays_within_its_range_of_pitch(vowel: Frames):
    for kind in KINDS:
        for seed in range(5):
            voice = draw_voice(kind, vowel.median_f0, np.random.default_rng(seed))
            f0 = reshaped(vowel, voice, np.random.default_rng(seed)).f0
            assert (kind == "whisper") == (not f0.any()), kind
            if kind in ("high", "scream"):
                assert 250 < np.median(f0[f0 > 0]) < 1000, kind


def test_a_set_of_voices_is_made_and_continued(toy_set: Path, tmp_path: Path):
    out, absent = tmp_path / "made", tmp_path / "absent"
    absent.mkdir()
    (absent / "pyworld.py").write_text("raise ImportError('there is no pyworld')")

    def make(count: int, **more: str) -> subprocess.CompletedProcess[str]:
        tool = [sys.executable, "tools/make_voices.py", str(toy_set), "-o", str(out), "--count", str(count)]
        env = {**os.environ, **more}
        return subprocess.run(tool, capture_output=True, text=True, cwd=ROOT, check=False, env=env)

    assert make(2, PYTHONPATH=str(absent)).stderr.startswith("making voices needs the vocoder WORLD")
    assert not (out / "manifest.csv").exists()
    pytest.importorskip("pyworld", reason="pyworld has to be compiled, and is in no extra")
    done = make(5)
    assert done.returncode == 0, done.stderr
    originals = {row.path: row for row in read_manifest(toy_set)}
    rows = read_manifest(out)
    made = [row for row in rows if row.style == "made"]
    assert len(rows) == len(originals) + len(made)
    assert len(made) + done.stderr.count("not made into") == 5
    assert len(made) >= 3
    with (out / "voices.csv").open() as file:
        table = {str(Path(cells["path"]).absolute()): cells for cells in csv.DictReader(file)}
    before = {}
    for row in made:
        original = originals[table[row.path]["original"]]
        assert (row.source, row.group, row.split) == (original.source, original.group, "train")
        samples, rate = sf.read(row.path, dtype="float32")
        assert rate == 16_000
        assert 0.01 < np.abs(samples).max() < 0.999
        assert levels.floor_db(high_passed(samples)) == pytest.approx(row.floor_db, abs=0.1)
        assert row.floor_db >= 40
        assert float(table[row.path]["level_dbfs"]) < 0
        before[row.path] = (Path(row.path).stat().st_mtime_ns, samples.tobytes())

    lost = Path(made[0].path)
    lost.unlink()
    assert make(6).returncode == 0
    for path, (changed, samples) in before.items():
        again, _ = sf.read(path, dtype="float32")
        assert again.tobytes() == samples
        assert (Path(path).stat().st_mtime_ns == changed) == (path != str(lost))
    assert "'" not in (out / "voices.csv").read_text()  # numbers are no text that a spreadsheet would run
    (out / "voices.csv").unlink()
    assert "manifest of its own" in make(5).stderr


def test_made_voices_are_judged_from_any_folder(toy_set: Path, tmp_path: Path):
    def judge(folder: Path) -> subprocess.CompletedProcess[str]:
        tool = [sys.executable, "tools/judge_voices.py", str(folder)]
        return subprocess.run(tool, capture_output=True, text=True, cwd=ROOT, check=False)

    original = next(r for r in read_manifest(toy_set) if r.kind == "speech" and r.split == "train")
    made = tmp_path / "made" / "0-00000-word.flac"
    made.parent.mkdir()
    shutil.copy(original.path, made)
    write_manifest(
        tmp_path / "manifest.csv", [original, replace(original, path=str(made), group="b", style="made")]
    )
    assert judge(tmp_path).stderr.startswith(f"cannot read {tmp_path / 'voices.csv'}: No such file")
    table = tmp_path / "voices.csv"
    table.write_text(f"path,original,kind\nmine/made/{made.name},{original.path},word\n")
    rows = [line.split(" | ") for line in judge(tmp_path).stdout.splitlines()]
    assert rows[2][0] == "| word"
    assert rows[2][1:4] == [cell.rstrip(" |") for cell in rows[2][4:]]  # a copy gets what its original gets
    table.write_text("path,original,kind\n")
    assert "does not list" in judge(tmp_path).stderr
    write_manifest(tmp_path / "manifest.csv", [original])
    assert (
        judge(tmp_path).stderr == f"{tmp_path} has no made voices in the split 'train'. Choose another --split.\n"
    )
