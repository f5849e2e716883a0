"""A real PortAudio stream on a virtual microphone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines


def test_devices_lists_it(run, microphone):
    done = run("devices", "--json", env=microphone.env)
    assert done.returncode == 0, done.stderr
    found = {d["name"]: d for d in map(json.loads, done.stdout.splitlines())}
    assert {"pulse", "default"} <= set(found)
    assert found["pulse"]["channels"] >= 1
    assert found["pulse"]["sample_rate"] >= 8_000
    assert sum(d["default"] for d in found.values()) == 1
    table = run("devices", env=microphone.env).stdout
    assert re.search(r"\d+ +pulse +ALSA", table)


def test_listen_judges_what_is_played_into_it(microphone, tmp_path: Path):
    """Clean voice first, then the same voice in loud noise."""
    clean, rate = sf.read(DEMO, frames=6 * 16_000)
    rng = np.random.default_rng(0)
    noisy = clean + 0.05 * rng.standard_normal(len(clean))
    sf.write(tmp_path / "clip.wav", np.concatenate([clean, clean, noisy, noisy]), rate)
    command = [sys.executable, "-m", "noisewatch", "listen", "--device", "pulse", "--json", "--seconds", "24"]
    with subprocess.Popen(
        command, env=microphone.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/tmp"
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())  # the stream runs
        assert first["state"] == "unknown"  # nothing plays yet: digital silence, never clean
        assert first["reason"] == "digital_silence"
        player = microphone.play(tmp_path / "clip.wav")
        out, err = process.communicate(timeout=60)
        player.kill()
        player.wait()
    assert process.returncode == 0, err
    readings = lines(out)
    assert readings[-1]["time"] == pytest.approx(24, abs=0.1)
    states = "".join(r["state"][0] for r in readings)
    assert re.fullmatch("u+c+n+[cu]*", states), states
    assert "0 drops" in err


def test_a_unique_part_of_the_name_is_enough_and_an_ambiguous_one_lists(run, microphone):
    env = microphone.env
    by_part = run("listen", "--device", "puls", "--json", "--seconds", 1, env=env)
    assert "digital silence" in by_part.stderr
    assert by_part.returncode == 4  # it opened, and nothing but digital silence came
    both = run("listen", "--device", "ul", env=env)
    assert both.returncode == 2
    assert "pulse" in both.stderr
    assert "default" in both.stderr
    unknown = run("listen", "--device", "no such thing", env=env)
    assert unknown.returncode == 4
    assert "pulse" in unknown.stderr
    assert run("listen", "--device", "99", env=env).returncode == 4
    assert "no channel 999" in run("listen", "--device", "pulse", "--channel", "999", env=env).stderr


def test_a_device_that_sends_nothing_is_said_to_stall(microphone):
    command = [sys.executable, "-m", "noisewatch", "listen", "--device", "pulse", "--json", "--seconds", "8"]
    with subprocess.Popen(
        command, env=microphone.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/tmp"
    ) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        subprocess.run(["pactl", "suspend-sink", "mic", "1"], env=microphone.env, check=True)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            subprocess.run(["pactl", "suspend-sink", "mic", "0"], env=microphone.env, check=True)
    stalled = [r for r in lines(out) if r["reason"] == "stalled"]
    assert stalled, err
    assert all(r["state"] == "unknown" for r in stalled)
    assert [e["reason"] for e in lines(out, "event") if e["event"] == "input_lost"]


def test_ctrl_c_closes_the_device(microphone):
    for _ in range(2):  # it can be opened again
        command = [sys.executable, "-m", "noisewatch", "listen", "--device", "pulse", "--json"]
        with subprocess.Popen(
            command, env=microphone.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/tmp"
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            began = time.monotonic()
            process.send_signal(2)
            _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert time.monotonic() - began < 10
        assert "Traceback" not in err
