"""A sound file for every noise."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines, wait_for

from noisewatch import NoiseDetector
from noisewatch.core.events import Event
from noisewatch.outputs.clips import Clips
from noisewatch.outputs.sink import SessionInfo

LIVE = SessionInfo("mic", True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("hot", [False, True])
def test_a_clip_is_private_and_holds_the_samples_unchanged(run, tmp_path: Path, hot: bool):
    """As FLAC; as float WAV if the input exceeds full scale, even if it does so only in the middle of the clip."""
    samples, rate = sf.read(DEMO, dtype="float32")
    samples[16 * rate :] *= 4 if hot else 1
    sf.write(tmp_path / "in.wav", samples, rate, subtype="FLOAT")
    run("listen", tmp_path / "in.wav", "--fast", "--keep-clips", tmp_path / "clips", "--log", tmp_path / "e.jsonl")
    (clip,) = (tmp_path / "clips").iterdir()
    assert clip.suffix == (".wav" if hot else ".flac")
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600
    assert stat.S_IMODE(clip.parent.stat().st_mode) == 0o700
    end = lines((tmp_path / "e.jsonl").read_text(), "event")[-1]
    stored, _ = sf.read(clip, dtype="float32")
    first = round((end["onset"] - 2) * rate)
    assert len(stored) == pytest.approx((end["duration"] + 2.5) * rate, abs=20)
    assert np.abs(stored - samples[first : first + len(stored)]).max() < 1e-4
    assert (np.abs(stored).max() > 1.1) == hot


@pytest.mark.parametrize(("block_s", "hop", "lag_s"), [(4.0, 0.1, 3.65), (0.1, 3.0, 4.2)])
def test_a_clip_ends_with_the_noise_however_late_the_end_is_decided(
    tmp_path: Path, block_s: float, hop: float, lag_s: float
):
    """A recording that is not paced comes in long blocks, and a long hop delays the decision, here by lag_s."""
    sink = Clips(tmp_path, 1.0)
    sink.open(replace(LIVE, decision_lag_s=NoiseDetector("tcn").stream(hop=hop).lag_s))
    size, started, end = round(block_s * 16_000), False, 20.05 - lag_s  # decided at the start of a long block
    for start in range(0, 40 * 16_000, size):
        sink.audio(start, np.full(size, 0.1, np.float32), 16_000)
        now = (start + size) / 16_000
        if now >= 8 and not started:
            sink.event(Event("noise_start", 8.0, 7.0, 1))
            started = True
        if now >= end + lag_s:
            sink.event(Event("noise_end", now, 7.0, 1, end=end, duration=end - 7))
            break
    (clip,) = tmp_path.iterdir()
    assert sf.info(clip).duration == pytest.approx(end - 7 + 1.5, abs=0.01)


def test_a_clip_above_full_scale_from_its_start(tmp_path: Path):
    sink = Clips(tmp_path, 1.0)
    sink.open(LIVE)
    sink.event(Event("noise_start", 0.1, 0.0, 1))
    for start in range(0, 160_000, 1600):
        sink.audio(start, np.full(1600, 1.5, np.float32), 16_000)
    sink.event(Event("noise_end", 9.0, 0.0, 1, end=6.0, duration=6.0))
    (clip,) = tmp_path.iterdir()
    samples, _ = sf.read(clip)
    assert (clip.suffix, len(samples), samples.min()) == (".wav", 6.5 * 16_000, 1.5)


def test_a_full_disk_stops_the_clips_and_nothing_else(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(tmp_path / "long.flac", np.tile(samples, 2), rate)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (50_000, 50_000))
    clips = tmp_path / "clips"
    done = run("listen", tmp_path / "long.flac", "--fast", "--json", "--keep-clips", clips, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("failed (File too large)") == 1
    assert "events lost" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(clips.iterdir()) == []


def test_a_signal_ends_the_noise_in_every_sink(early_noise: Path, tmp_path: Path):
    """Even on a terminal that accepts no more output, such as a frozen one."""
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143}
    command = [sys.executable, "-m", "noisewatch", "listen", early_noise]
    terminal, screen = os.openpty()
    running = []
    for number in codes:
        folder = tmp_path / number.name
        process = subprocess.Popen(
            [*command, "--log", folder / "log", "--keep-clips", folder / "clips"],
            stdin=screen, stdout=screen, stderr=screen, cwd="/tmp", env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        running.append((process, number, folder))
    try:
        for process, number, folder in running:
            log = folder / "log"
            wait_for(lambda log=log: log.exists() and log.read_text())
            process.send_signal(number)
            assert process.wait(20) == codes[number]
            events = lines(log.read_text(), "event")
            assert [e["event"] for e in events] == ["noise_start", "noise_end"]
            assert [e["device"] for e in events] == [early_noise.name] * 2
            (clip,) = (folder / "clips").iterdir()
            assert clip.suffix == ".flac"
            assert sf.info(clip).duration > 1
    finally:
        for process, *_ in running:
            process.kill()
            process.wait()
        os.close(terminal)
        os.close(screen)


def test_a_signal_while_the_sinks_close_leaves_whole_clips(early_noise: Path, tmp_path: Path):
    clips, noted = tmp_path / "clips", tmp_path / "noted"
    hold = f"{sys.executable} -c \"import time; open('{noted}', 'a').write('x'); time.sleep(1)\""
    command = [sys.executable, "-m", "noisewatch", "listen", early_noise, "--fast", "--seconds", "5", "--json",
               "--keep-clips", clips, "--exec", hold]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/tmp") as process:
        wait_for(noted.exists)
        time.sleep(0.5)  # by now the recording has ended
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert noted.read_text() == "xx"
    (clip,) = clips.iterdir()
    assert sf.info(clip).duration > 3
