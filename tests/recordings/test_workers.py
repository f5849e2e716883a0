"""Interrupted scans, and processes that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, processes_with, reports, wait_for

from noisewatch.recordings import workers
from noisewatch.recordings.scan_config import ScanConfig


def long_recordings(folder: Path) -> None:
    """1.wav and 2.wav, nine minutes each: with --hop 0.1, they take seconds to judge."""
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(folder / "1.wav", np.tile(samples, 20), rate)
    os.link(folder / "1.wav", folder / "2.wav")


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_finished_reports(tmp_path: Path, jobs: int):
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(tmp_path / "0.wav", samples, rate)
    long_recordings(tmp_path)
    command = [sys.executable, "-m", "noisewatch", "scan", tmp_path, "-o", tmp_path / "out", "--hop", "0.1"]
    with subprocess.Popen([*command, "--jobs", str(jobs)], stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: list((tmp_path / "out").glob("noisewatch.jsonl.*.part")))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "stopped after 1 of 3 recordings; continue with --resume" in err
    if jobs == 1:  # without a journal, there is nothing to continue
        bare = [*command[:5], "--hop", "0.1", "--format", "jsonl"]
        with subprocess.Popen(bare, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, lost = process.communicate(timeout=30)
        assert "stopped after 1 of 3 recordings.\n" in lost
    assert "Traceback" not in err
    (part,) = (tmp_path / "out").iterdir()
    assert list(reports(part.read_text())) == ["0.wav"]
    for n in (1, 2):
        (tmp_path / f"{n}.wav").unlink()
        sf.write(tmp_path / f"{n}.wav", samples[: 4 * rate], rate)
    stranger = tmp_path / "out" / "noisewatch.jsonl.stranger.part"
    stranger.symlink_to(tmp_path / "aim")
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert not part.exists()
    assert sorted(reports((tmp_path / "out" / "noisewatch.jsonl").read_text())) == ["0.wav", "1.wav", "2.wav"]
    assert stranger.is_symlink()
    assert not (tmp_path / "aim").exists()


def test_workers_end_with_their_parent(tmp_path: Path):
    long_recordings(tmp_path)
    marker = f"--marker-{os.getpid()}"
    options = ["--hop", "0.1", "--jobs", "2", "--model", "tcn"]
    command = [sys.executable, "-m", "noisewatch", "scan", tmp_path, *options]

    with subprocess.Popen(command, env={**os.environ, "NW_MARKER": marker}, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(processes_with(marker)) >= 4)  # the command, multiprocessing's tracker, two workers
        process.kill()
    wait_for(lambda: not processes_with(marker))


def test_a_process_that_dies_costs_only_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As when the kernel kills a process that runs out of memory; here a file makes its process exit."""
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    paths = [tmp_path / f"{n}.wav" for n in range(4)]
    for path in paths:
        sf.write(path, samples, rate)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, soundfile\n"
        "opened = soundfile.SoundFile.__init__\n"
        "def init(self, file, *args, **more):\n"
        "    if os.fsencode(file).endswith(b'1.wav'): os._exit(9)\n"
        "    opened(self, file, *args, **more)\n"
        "soundfile.SoundFile.__init__ = init\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {Path(r.path).name: r for [r] in workers.processes(paths, ScanConfig(), lambda done: None, 2)}
    assert len(found) == 4
    assert found["1.wav"].error is not None
    assert "died" in found["1.wav"].error
    assert all(found[f"{n}.wav"].error is None for n in (0, 2, 3))
