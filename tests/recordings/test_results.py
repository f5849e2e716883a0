"""Where results are written, and what happens where they cannot be."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile as sf
from conftest import DEMO


def test_labels_are_written_beside_the_recordings(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(tmp_path / "take.flac", samples, rate)
    invoke("scan", tmp_path / "take.flac", "--format", "audacity")
    assert "noise" in (tmp_path / "take.flac.noise.txt").read_text()


def test_labels_are_written_below_the_output_folder(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    for name in ("c", "b/d"):
        (tmp_path / name).mkdir(parents=True)
        sf.write(tmp_path / name / "t.wav", samples, rate)
    before = set(tmp_path.rglob("*"))
    invoke("scan", "../c", "d", "-o", "out", "--format", "rttm", cwd=tmp_path / "b")
    made = {p.relative_to(tmp_path).as_posix() for p in set(tmp_path.rglob("*")) - before if p.is_file()}
    assert made == {"b/out/c/t.wav.noise.rttm", "b/out/b/d/t.wav.noise.rttm", "b/out/noisewatch.jsonl"}


def test_names_that_the_terminal_cannot_display(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    sf.write(tmp_path / "日 :bug:.wav", samples, rate)
    for form in ("table", "csv", "jsonl"):
        done = run("scan", tmp_path, "--format", form, env={"PYTHONIOENCODING": "ascii"})
        assert done.returncode == 0, done.stderr
        assert ":bug:" in done.stdout


@pytest.mark.parametrize("form", ["table", "csv", "jsonl", "rttm"])
def test_results_that_cannot_be_stored_are_shown(invoke, form: str):
    done = invoke("scan", DEMO, "-o", "/proc/nowhere", "--hop", "3", "--format", form)
    assert done.returncode == 7
    assert "demo.flac" in done.stdout
    assert done.stderr.count("cannot write /proc/nowhere") in (
        1,
        2,
    )  # at once, and as the reason for the 7
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk(run, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with contextlib.suppress(OSError):
            (disk / "full").write_bytes(bytes(1 << 20))
        for args in (("-o", disk), ("-o", disk, "--format", "csv", "--resume")):
            done = run("scan", DEMO, *args, "--hop", "3")
            assert done.returncode == 7
            assert "demo.flac" in done.stdout
            assert "No space left on device" in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)
