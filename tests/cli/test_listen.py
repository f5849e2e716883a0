"""`noisewatch listen` on the demo clip: readings, events, lines, options."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines

import noisewatch

FAST = ("--fast", "--json")


FIELDS = [
    "type", "time", "noise", "snr_db", "voice", "level_dbfs", "state", "reason", "warnings", "reference", "hum_hz",
    "now", "noise_dbfs", "voice_dbfs", "kind", "kind_probability", "input", "utc",
]  # fmt: skip


def test_the_bare_command_suggests_what_to_run(run):
    done = run()
    assert done.returncode == 0
    for command in ("noisewatch listen demo", "noisewatch listen", "noisewatch devices"):
        assert command in done.stdout
    assert run("--version").stdout == f"noisewatch {noisewatch.__version__}\n"


@pytest.fixture(scope="module")
def of_demo(run) -> subprocess.CompletedProcess[str]:
    return run("listen", "demo", *FAST)


def test_the_demo_is_clean_then_noisy_then_clean(of_demo):
    done = of_demo
    assert done.returncode == 0, done.stderr
    readings = lines(done.stdout)
    assert list(readings[0]) == FIELDS
    assert readings[0]["time"] == 3.0
    assert {r["utc"] for r in [*readings, *lines(done.stdout, "event")]} == {None}
    assert [r["time"] for r in readings[:3]] == [3.0, 3.1, 3.2]
    states = "".join(r["state"][0] for r in readings)
    assert states.strip("c").strip("n") == "", f"one stretch of noise, clean around it: {states}"
    assert states.startswith("c")
    assert states.endswith("c")
    assert "n" in states
    assert [e["event"] for e in lines(done.stdout, "event")] == ["noise_start", "noise_end"]
    end = lines(done.stdout, "event")[-1]
    assert end["duration"] == pytest.approx(end["end"] - end["onset"], abs=1e-3)
    assert "noisy" in done.stderr


def test_the_same_file_gives_the_same_lines(run, of_demo):
    assert run("listen", DEMO, *FAST).stdout.replace('"demo.flac"', '"demo"') == of_demo.stdout


def test_seconds_hop_and_threshold(invoke):
    readings = lines(invoke("listen", "demo", *FAST, "--seconds", 6, "--hop", 0.5).stdout)
    assert [r["time"] for r in readings] == [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]
    strict = lines(invoke("listen", "demo", *FAST, "--threshold", 0.99).stdout)
    loose = lines(invoke("listen", "demo", *FAST, "--threshold", 0.1).stdout)
    assert sum(r["state"] == "noisy" for r in strict) < sum(r["state"] == "noisy" for r in loose)


def test_recordings_are_paced_as_if_live(run):
    began = time.monotonic()
    run("listen", "demo", "--json", "--seconds", 4)
    assert time.monotonic() - began >= 3.9


def test_plain_lines_where_there_is_no_terminal(run):
    done = run("listen", "demo", "--fast")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("00:03.0  clean")
    assert 20 <= len(done.stdout.splitlines()) <= 60


def test_force_color_does_not_make_a_terminal(run, toy_set: Path, tmp_path: Path):
    """CI systems set FORCE_COLOR: no meter, no bar, no cursor code goes into a file."""
    forced = {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm-256color"}
    done = run("listen", "demo", "--fast", "--seconds", 4, env=forced)
    assert done.stdout.startswith("00:03.0  clean")
    cursor = re.compile(r"\x1b\[[0-9;?]*[A-Zhl]")  # all but colours, which end in m
    for args in (
        ("scan", DEMO, "-o", tmp_path),
        ("config",),
        ("models",),
        ("prepare", "--speech", toy_set, "--noise", toy_set, "-o", tmp_path / "d"),
    ):
        done = run(*args, env=forced)
        assert done.returncode == 0, done.stderr
        assert not cursor.search(done.stdout + done.stderr), args


def test_eight_channels_and_192_khz(invoke, tmp_path: Path):
    samples, _ = sf.read(DEMO, frames=16_000 * 4)
    many = np.zeros((len(samples), 8))
    many[:, 4] = samples
    sf.write(tmp_path / "many.wav", many, 16_000)
    fifth = lines(invoke("listen", tmp_path / "many.wav", *FAST, "--channel", 5).stdout)
    plain = lines(invoke("listen", "demo", *FAST, "--seconds", 4).stdout)
    assert [r["noise"] for r in fifth] == pytest.approx([r["noise"] for r in plain], abs=0.01)
    assert invoke("listen", tmp_path / "many.wav", *FAST).returncode == 0
    sf.write(tmp_path / "fast.wav", np.repeat(samples, 12), 192_000)
    assert len(lines(invoke("listen", tmp_path / "fast.wav", *FAST).stdout)) == 11


def test_listening_stores_nothing(run, tmp_path: Path):
    """Not by us, and not by the libraries either."""
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    assert run("listen", "demo", "--fast", env=home, cwd=tmp_path).returncode == 0
    assert run("scan", DEMO, env=home, cwd=tmp_path).returncode == 0
    assert list(tmp_path.rglob("*")) == []
