"""One line and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO

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
    (folder / "cut.wav").write_bytes((folder / "clean.wav").read_bytes()[:170_000])
    return folder


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("clean", 0, "OK: 0% of 6 s are noisy, SNR 4"),
        ("noisy", 3, "NOISY: 100% of 6 s are noisy, SNR "),
        ("silent", 6, "UNKNOWN: 100% of the input could not be judged. It holds digital silence."),
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


def test_limits(run, takes: Path):
    assert run("check", takes / "clean.wav", "--min-snr", "20").returncode == 0
    done = run("check", takes / "clean.wav", "--min-snr", "60")
    assert done.returncode == 3
    assert "60 are asked for" in done.stdout
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


def test_a_microphone(run, microphone, takes: Path):
    with microphone.play(takes / "noisy.wav") as player:
        done = run("check", "--device", "pulse", "--seconds", "4", env=microphone.env)
        player.wait()
    assert done.returncode == 3, done.stdout + done.stderr
    assert run("check", "--device", "nothing called so", env=microphone.env).returncode == 4
