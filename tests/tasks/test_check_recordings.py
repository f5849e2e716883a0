"""`noisewatch check` on recordings and pipes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO

import noisewatch.tasks.check
from noisewatch.inputs.source import TICK_S

RATE = 16_000


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("clean", 0, "OK: 0% of 6 s is noisy, SNR 4"),
        ("noisy", 3, "NOISY: 100% of 6 s is noisy, SNR "),
        *((f"hiss {s} s", 3, f"NOISY: 100% of {s:.0f} s is noisy, no speech") for s in (1.0, 3.1)),
        *((f"hissing voice {s} s", 3, "NOISY: 100% of ") for s in (2.0, 3.0)),
        ("silent", 6, "UNKNOWN: 100% of the input could not be judged. The recording is digital silence."),
        ("muted later", 6, "UNKNOWN"),
        ("short", 6, "UNKNOWN"),
        ("hiss", 6, "UNKNOWN: there was no speech, and the level stayed below -70 dBFS"),
        ("cut", 6, "UNKNOWN: cut.wav ended early: its header promises 6.0 s, but it has 5."),
    ],
)
def test_answers(invoke, takes: Path, name: str, code: int, expected: str):
    done = invoke("check", takes / f"{name}.wav")
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(expected)
    assert done.stdout.count("\n") == 1
    found = json.loads(invoke("check", takes / f"{name}.wav", "--json").stdout)
    assert found["answer"].upper() == done.stdout.partition(":")[0]


@pytest.mark.parametrize("hop", [0.1, 0.5, 3])
def test_the_noisy_share_does_not_depend_on_the_hop(invoke, takes: Path, hop: float):
    files = [DEMO, takes / "hissing voice 3.1 s.wav", takes / "hiss 2.0 s.wav", takes / "clean.wav"]
    shares = [r.noisy for r in noisewatch.scan(files, hop=hop)]
    assert shares[0] == pytest.approx(0.34, abs=max(hop, 0.5) / 27.2)
    assert shares[1:] == [1.0, 1.0, 0.0]
    summary = invoke("listen", files[1], "--fast", "--hop", hop, "--json").stderr
    assert "100% of it noisy, 1 noise" in summary


def test_several_recordings_have_a_line_each_and_the_worst_exit_code(invoke, takes: Path):
    names = ["clean.wav", "noisy.wav", "nothere.wav"]
    done = invoke("check", *names, cwd=takes)
    assert done.returncode == 6
    words = [line.split()[:2] for line in done.stdout.splitlines()]
    assert words == [["clean.wav:", "OK:"], ["noisy.wav:", "NOISY:"], ["nothere.wav:", "UNKNOWN:"]]
    done = invoke("check", *names[:2], "--json", cwd=takes)
    assert done.returncode == 3
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [f["source"] for f in found] == names[:2]
    assert found[1]["snr_noisy_db"] < 20 < found[0]["snr_db"]
    (takes / "b").mkdir()
    shutil.copy(takes / "clean.wav", takes / "b")
    done = invoke("check", "clean.wav", "b/clean.wav", cwd=takes)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["clean.wav:", "b/clean.wav:"]
    assert json.loads(invoke("check", "b/clean.wav", "--json", cwd=takes).stdout)["source"] == "b/clean.wav"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_an_unreadable_recording_is_unknown_and_the_others_are_judged(run, takes: Path):
    strange = {
        "a" * 300 + ".wav": "File name too long",
        "/proc/self/mem": "cannot read",
        "/dev/tty": "No such device",  # where there is no terminal
    }
    done = run("check", *strange, "clean.wav", cwd=takes, start_new_session=True)
    assert done.returncode == 6
    *unread, clean = done.stdout.splitlines()
    assert clean.startswith("clean.wav: OK")
    for line, (name, why) in zip(unread, strange.items(), strict=True):
        assert line.startswith(f"{name}: UNKNOWN: ")
        assert why in line
    for name, why in strange.items():
        done = run("check", name, start_new_session=True)
        assert (done.returncode, done.stdout) == (6, "")
        assert why in done.stderr
    with (takes / "written").open("w") as file:
        done = run("listen", "-", "--json", stdin=file)
    assert done.returncode == 6
    assert "cannot read stdin: Bad file descriptor" in done.stderr


def test_a_channel_that_only_some_recordings_have(run, takes: Path):
    """The mono recordings are unknown, including a pipe whose header arrives late."""
    clean, _ = sf.read(takes / "clean.wav")
    sf.write(takes / "stereo.wav", np.stack([clean * 0, clean], 1), RATE)
    command = [sys.executable, "-m", "noisewatch", "check", "clean.wav", "-", "stereo.wav", "--channel", "2"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=takes, **pipes) as process:
        first = process.stdout.readline()
        time.sleep(0.6)  # longer than the wait for a header
        rest, err = process.communicate((takes / "clean.wav").read_bytes(), timeout=60)
    words = [line.split()[:2] for line in (first + rest).decode().splitlines()]
    assert words == [["clean.wav:", "UNKNOWN:"], ["-:", "UNKNOWN:"], ["stereo.wav:", "OK:"]], err
    assert b"has 1 channel, so there is no channel 2" in first
    assert process.returncode == 6
    assert run("check", takes / "clean.wav", "--channel", 2).returncode == 2
    assert run("check", takes / "stereo.wav", takes / "stereo.wav", "--channel", 0).returncode == 2


class Idle:
    """A pipe that pauses for a minute."""

    name, sample_rate, live, pauses, drops, late_s, notes = "pipe", RATE, False, True, 0, 0.0, ()

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples

    def blocks(self) -> Iterator[np.ndarray | None]:
        yield self._samples
        yield from [None] * round(60 / TICK_S)

    def close(self) -> None: ...


def test_a_pause_of_a_pipe_does_not_count(voice: np.ndarray):
    found = noisewatch.tasks.check.check(Idle(voice))
    assert (found.answer, found.seconds) == ("ok", 6.0)


def test_a_pipe(run, takes: Path):
    done = run("check", "-", input=(takes / "noisy.wav").read_bytes(), text=False)
    assert done.returncode == 3, done.stderr
    assert run("check", "-", input=b"no sound", text=False).returncode == 6
