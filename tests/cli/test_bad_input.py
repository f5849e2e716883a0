"""Bad recordings end in a sentence and exit code 6."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines

FAST = ("--fast", "--json")


def _bad(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    demo, rate = sf.read(DEMO, dtype="float32")
    if name == "empty.wav":
        path.touch()
    elif name == "text.wav":
        path.write_text("this is no audio")
    elif name == "folder":
        path.mkdir()
    elif name == "none.wav":
        sf.write(path, np.zeros(0), 16_000)
    elif name == "one.wav":
        sf.write(path, np.ones(1) * 0.1, 16_000)
    elif name == "silent.wav":
        sf.write(path, np.zeros(80_000), 16_000)
    elif name == "nan.wav":
        demo[50_000] = np.nan
        sf.write(path, demo, rate, subtype="FLOAT")
    elif name == "inf.wav":
        demo[50_000] = np.inf
        sf.write(path, demo, rate, subtype="FLOAT")
    elif name == "cut.flac":
        path.write_bytes(DEMO.read_bytes()[:150_000])
    elif name == "cut.wav":
        sf.write(path, demo, rate)
        path.write_bytes(path.read_bytes()[: len(demo)])
    elif name == "slow.wav":
        sf.write(path, demo, 500)
    elif name == "film.mp4":
        path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(100))
    return path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.wav", "no file at"),
        ("empty.wav", "it has 0 bytes"),
        ("text.wav", "cannot be read as audio"),
        ("folder", "is a folder"),
        ("none.wav", "0 samples"),
        ("one.wav", "too little sound"),
        ("silent.wav", "digital silence"),
        ("nan.wav", "not finite"),
        ("inf.wav", "not finite"),
        ("cut.flac", "is damaged"),
        ("cut.wav", "promises 27.2 s, but it has 13.6 s"),
        ("slow.wav", "500 Hz; allowed"),
        ("film.mp4", "ffmpeg"),
    ],
)
def test_bad_recordings_get_a_sentence(invoke, tmp_path: Path, name: str, sentence: str):
    done = invoke("listen", _bad(tmp_path, name), *FAST)
    assert done.returncode == 6
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    for line in done.stdout.splitlines():
        json.loads(line)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "ended before any audio arrived"),
        (b"RIFF", "header is damaged or cut off"),
        (b"hello" * 50, "stdin cannot be read as audio"),
    ],
)
def test_a_pipe_without_audio(run, data: bytes, sentence: str):
    done = run("listen", "-", "--json", input=data, text=False)
    assert done.returncode == 6
    assert sentence in done.stderr.decode()


def test_raw_audio_without_a_sample(run):
    done = run("listen", "-", "--raw-rate", 16_000, "--json", input=b"", text=False)
    assert done.returncode == 6
    assert "holds no audio" in done.stderr.decode()


def test_a_wav_that_ends_early_is_judged_and_reported(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, frames=16_000 * 8)
    sf.write(tmp_path / "a.wav", samples, rate)
    data = (tmp_path / "a.wav").read_bytes()[: 16_000 * 8 + 44]
    done = run("listen", "-", "--json", input=data, text=False)
    assert done.returncode == 6
    assert "stdin ended early: its header promises 8.0 s, but it has 4.0 s" in done.stderr.decode()
    assert len(lines(done.stdout.decode())) == 11


def test_a_recording_damaged_in_its_middle_keeps_its_events(invoke, tmp_path: Path):
    (tmp_path / "a.flac").write_bytes(DEMO.read_bytes()[:300_000])
    done = invoke("listen", tmp_path / "a.flac", *FAST, "--threshold", 0.3)
    assert done.returncode == 6
    assert [e["event"] for e in lines(done.stdout, "event")] == ["noise_start", "noise_end"]
