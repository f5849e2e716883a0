"""One line and an exit code."""

from __future__ import annotations

import json
import re
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

import noisewatch
from noisewatch import NoiseDetector, Reading
from noisewatch.core.summary import Summary
from noisewatch.inputs.source import TICK_S
from noisewatch.tasks.check import Limits, answer

RATE = 16_000


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean voice, the same with noise, silence, one that ends in silence, one too short."""
    folder = tmp_path_factory.mktemp("takes")
    clean, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    noisy = clean + np.random.default_rng(1).standard_normal(len(clean)).astype(np.float32) * 0.02
    silent = np.zeros(6 * RATE, np.float32)
    hiss = np.random.default_rng(1).standard_normal(6 * RATE) * 10 ** (-85 / 20)
    sf.write(folder / "hiss.wav", hiss, RATE, "PCM_24")
    for name, samples in {"clean": clean, "noisy": noisy, "silent": silent, "short": clean[: RATE // 2],
                          "muted later": np.concatenate([clean, silent])}.items():  # fmt: skip
        sf.write(folder / f"{name}.wav", samples, RATE)
    rng = np.random.default_rng(2)
    for seconds in (1.0, 2.0, 3.0, 3.1):
        hissing = rng.standard_normal(round(seconds * RATE)) * 0.05
        sf.write(folder / f"hiss {seconds} s.wav", hissing, RATE)
        sf.write(folder / f"hissing voice {seconds} s.wav", clean[RATE : RATE + len(hissing)] + hissing, RATE)
    (folder / "cut.wav").write_bytes((folder / "clean.wav").read_bytes()[:170_000])
    return folder


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("clean", 0, "OK: 0% of 6 s is noisy, SNR 4"),
        ("noisy", 3, "NOISY: 100% of 6 s is noisy, SNR "),
        *((f"hiss {s} s", 3, f"NOISY: 100% of {s:.0f} s is noisy, nobody spoke") for s in (1.0, 3.1)),
        *((f"hissing voice {s} s", 3, "NOISY: 100% of ") for s in (2.0, 3.0)),
        ("silent", 6, "UNKNOWN: 100% of the input could not be judged. The recording is digital silence."),
        ("muted later", 6, "UNKNOWN"),
        ("short", 6, "UNKNOWN"),
        ("hiss", 6, "UNKNOWN: nobody spoke, and the level stayed below -70 dBFS"),
        ("cut", 6, "UNKNOWN: cut.wav ended early: its header promises 6.0 s, and 5."),
    ],
)
def test_answers(run, takes: Path, name: str, code: int, said: str):
    done = run("check", takes / f"{name}.wav")
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(said)
    assert done.stdout.count("\n") == 1
    found = json.loads(run("check", takes / f"{name}.wav", "--json").stdout)
    assert found["answer"].upper() == done.stdout.partition(":")[0]


@pytest.mark.parametrize("hop", [0.1, 0.5, 3])
def test_the_share_does_not_depend_on_the_hop(run, takes: Path, hop: float):
    files = [DEMO, takes / "hissing voice 3.1 s.wav", takes / "hiss 2.0 s.wav", takes / "clean.wav"]
    shares = [r.noisy for r in noisewatch.scan(files, hop=hop)]
    assert shares[0] == pytest.approx(0.35, abs=max(hop, 0.5) / 27.2)
    assert shares[1:] == [1.0, 1.0, 0.0]
    summary = run("listen", files[1], "--fast", "--hop", hop, "--json").stderr
    assert "100% of it noisy, 1 noise" in summary


def test_several_recordings_have_a_line_each_and_the_worst_exit_code(run, takes: Path):
    names = ["clean.wav", "noisy.wav", "nothere.wav"]
    done = run("check", *names, cwd=takes)
    assert done.returncode == 6
    words = [line.split()[:2] for line in done.stdout.splitlines()]
    assert words == [["clean.wav:", "OK:"], ["noisy.wav:", "NOISY:"], ["nothere.wav:", "UNKNOWN:"]]
    done = run("check", *names[:2], "--json", cwd=takes)
    assert done.returncode == 3
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [f["source"] for f in found] == names[:2]
    assert found[1]["snr_noisy_db"] < 20 < found[0]["snr_db"]
    (takes / "b").mkdir()
    shutil.copy(takes / "clean.wav", takes / "b")
    done = run("check", "clean.wav", "b/clean.wav", cwd=takes)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["clean.wav:", "b/clean.wav:"]
    assert json.loads(run("check", "b/clean.wav", "--json", cwd=takes).stdout)["source"] == "b/clean.wav"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_what_cannot_be_read_is_unknown_and_the_others_are_judged(run, takes: Path):
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


def test_a_channel_that_only_some_have(run, takes: Path):
    """The mono ones are unknown, a pipe that says late what it is among them."""
    clean, _ = sf.read(takes / "clean.wav")
    sf.write(takes / "stereo.wav", np.stack([clean * 0, clean], 1), RATE)
    command = [sys.executable, "-m", "noisewatch", "check", "clean.wav", "-", "stereo.wav", "--channel", "2"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=takes, **pipes) as process:
        first = process.stdout.readline()
        time.sleep(0.6)  # longer than a header is waited for
        rest, err = process.communicate((takes / "clean.wav").read_bytes(), timeout=60)
    words = [line.split()[:2] for line in (first + rest).decode().splitlines()]
    assert words == [["clean.wav:", "UNKNOWN:"], ["-:", "UNKNOWN:"], ["stereo.wav:", "OK:"]], err
    assert b"has 1 channel(s), no channel 2" in first
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


def test_a_pause_of_a_pipe_is_no_part_of_it(voice: np.ndarray):
    found = noisewatch.tasks.check.check(Idle(voice))
    assert (found.answer, found.seconds) == ("ok", 6.0)


def test_no_sentence_says_more_than_its_numbers(run):
    """One SNR for each share of the time, whatever is allowed."""
    strict, lenient = (run("check", "demo", *o).stdout for o in ((), ("--max-noisy", 1)))
    assert re.search(r"SNR \d+ dB while it is noisy, 4\d dB otherwise", strict)
    assert re.search(r"SNR 1\d dB\. It was not quiet all the time: SNR \d+ dB while it was noisy", lenient)
    done = run("check", "demo", "--max-noisy", 1, "--min-snr", 12)
    assert re.match(r"NOISY: SNR \d+ dB while it is noisy; the minimum is 12 dB", done.stdout)
    quiet = NoiseDetector().stream()
    reading = Reading(3.0, 0.2, 11.0, 0.9, -26.0, "clean")
    totals = Summary()
    totals.add(reading)
    quiet.push(np.full(RATE, 0.1, np.float32))
    found = answer("take", [reading], totals, quiet, Limits(), live=False)
    assert (found.answer, found.snr_db) == ("ok", 11.0)
    assert "Nothing but your voice" not in found.advice
    assert "SNR is low" in found.advice


def test_clipping_is_told_of_a_clean_take_too(run, takes: Path, tmp_path: Path):
    clean, _ = sf.read(takes / "clean.wav", dtype="float32")
    sf.write(tmp_path / "cut.wav", np.clip(clean * 8, -1, 1), RATE)
    sf.write(tmp_path / "hot.wav", clean * 4, RATE, "FLOAT")
    cut, hot = run("check", tmp_path / "cut.wav", tmp_path / "hot.wav", "--max-noisy", 1).stdout.splitlines()
    assert "The input is clipping" in cut
    assert "The input is clipping" not in hot


def test_limits(run, takes: Path):
    assert run("check", takes / "clean.wav", "--min-snr", "20").returncode == 0
    done = run("check", takes / "clean.wav", "--min-snr", "60")
    assert done.returncode == 3
    assert "the minimum is 60 dB" in done.stdout
    assert run("check", takes / "noisy.wav", "--max-noisy", "1").returncode == 0
    assert run("check", "demo", "--seconds", "6").returncode == 0  # the noise of the demo comes later
    assert run("check", "demo").returncode == 3
    for wrong in (("--seconds", "1"), ("--max-noisy", "20"), ("--min-snr", "nan")):
        done = run("check", "demo", *wrong)
        assert done.returncode == 2
        assert "allowed" in done.stderr


def test_a_pipe(run, takes: Path):
    done = run("check", "-", input=(takes / "noisy.wav").read_bytes(), text=False)
    assert done.returncode == 3, done.stderr
    assert run("check", "-", input=b"no sound", text=False).returncode == 6


def test_a_microphone_that_is_silent_is_never_ok(run, microphone):
    done = run("check", "--device", "pulse", "--seconds", "4", env=microphone.env)
    assert done.returncode == 4
    assert done.stdout.startswith("UNKNOWN: 100% of the input could not be judged.")


def test_an_input_that_sends_nothing_ends_with_what_to_do(run, microphone):
    """`check` and `calibrate` after 5 s, whatever was asked for: nobody talks to a dead microphone for a minute."""
    microphone.pactl("suspend-sink", "two", "1")
    env = {**microphone.env, "PULSE_SOURCE": "two.monitor"}
    try:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "noisewatch", *words, "--device", "pulse"],
                env=each, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for words, each in (
                (["check", "--seconds", "4"], env), (["calibrate"], env), (["calibrate"], microphone.env)
            )
        ]  # fmt: skip
        (answered, _), (_, stalled), (_, silent) = (process.communicate(timeout=30) for process in started)
    finally:
        microphone.pactl("suspend-sink", "two", "0")
        for process in started:
            process.kill()
            process.communicate()
    assert [process.returncode for process in started] == [4, 4, 4]
    gone = "The input stopped sending audio. Reconnect it, or restart the sound server."
    assert answered == f"UNKNOWN: nothing came after 0.0 s. {gone}\n"
    assert f"pulse could not be judged. {gone}" in stalled
    assert "pulse could not be judged. The input sends digital silence: it is muted" in silent


def test_a_microphone(run, microphone, takes: Path):
    with microphone.play(takes / "noisy.wav") as player:
        done = run("check", "--device", "pulse", "--seconds", "4", env=microphone.env)
        player.wait()
    assert done.returncode == 3, done.stdout + done.stderr
    assert run("check", "--device", "nothing called so", env=microphone.env).returncode == 4
