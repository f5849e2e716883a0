"""Recordings and raw samples through a pipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines

FAST = ("--fast", "--json")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
def test_a_wav_through_a_pipe(run, tmp_path: Path, subtype: str):
    samples, rate = sf.read(DEMO, frames=16_000 * 5)
    sf.write(tmp_path / "a.wav", np.stack([samples, samples], 1), rate, subtype=subtype)
    data = (tmp_path / "a.wav").read_bytes()
    done = run("listen", "-", "--json", input=data, text=False)
    assert done.returncode == 0, done.stderr
    piped, direct = lines(done.stdout.decode()), lines(run("listen", tmp_path / "a.wav", *FAST).stdout)
    assert [r["noise"] for r in piped] == pytest.approx([r["noise"] for r in direct], abs=1e-3)


def test_raw_samples_through_a_pipe_that_ends_early(run):
    samples, _ = sf.read(DEMO, frames=16_000 * 4, dtype="int16")
    data = samples.tobytes()[:-1]  # half a sample is missing
    done = run("listen", "-", "--raw-rate", 16_000, "--json", input=data, text=False)
    assert done.returncode == 0, done.stderr
    assert len(lines(done.stdout.decode())) == 10


def test_ffmpeg_style_wav_header_without_a_length(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, frames=16_000 * 4)
    sf.write(tmp_path / "a.wav", samples, rate)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # what ffmpeg writes when it cannot seek
    done = run("listen", "-", "--json", input=bytes(data), text=False)
    assert done.returncode == 0, done.stderr
    assert len(lines(done.stdout.decode())) == 11


SILENT_DEVICE = """\
class PortAudioError(Exception): pass
class InputStream:
    active = True
    def __init__(self, **options): pass
    start = abort = close = lambda self: None
def query_hostapis(): return [{"name": "api"}]
def query_devices(kind=None):
    device = {"index": 0, "name": "mic", "hostapi": 0, "max_input_channels": 1, "default_samplerate": 8e3}
    return device if kind else [device]
"""


def test_a_pipe_that_pauses_loses_nothing(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, frames=16_000 * 12)
    sf.write(tmp_path / "a.wav", samples, rate)
    data = (tmp_path / "a.wav").read_bytes()
    command = [sys.executable, "-m", "noisewatch", "listen", "-", "--json"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/tmp"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[:300_001])  # in the middle of a sample, and of the noise
        process.stdin.flush()
        before = []
        while "input_lost" not in "".join(before[-1:]):
            before.append(process.stdout.readline().decode())
        out, err = process.communicate(data[300_001:], timeout=30)
    assert process.returncode == 0, err
    assert b"could not be judged" not in err  # a pause does not advance stream time
    piped = [json.loads(line) for line in [*before, *out.decode().splitlines()]]
    paused = [item for item in piped if item.get("reason") == "stalled" or item.get("event") == "input_back"]
    assert [item["type"] for item in paused[:2]] == ["reading", "event"]
    assert {item["time"] for item in paused} == {9.3}  # blocks of 0.1 s
    clock = [datetime.fromisoformat(item.pop("utc")) for item in piped]  # a pipe has wall-clock times
    assert clock == sorted(clock)
    assert paused[-1]["event"] == "input_back"
    whole = run("listen", tmp_path / "a.wav", *FAST).stdout.replace('"a.wav"', '"stdin"')
    heard = [item | {"utc": None} for item in piped if item not in paused]
    assert heard == [json.loads(line) for line in whole.splitlines()]


def test_an_input_that_sends_nothing_can_be_interrupted(tmp_path: Path, voice: np.ndarray):
    os.mkfifo(tmp_path / "named")
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "noisewatch"]
    pipes = {"stdin": reader, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": "/tmp"}
    listening = subprocess.Popen([*command, "listen", str(tmp_path / "named")], **pipes)
    checking = subprocess.Popen([*command, "check", "-", "--seconds", "3"], **pipes)
    listening_for = subprocess.Popen(
        [*command, "listen", f"/dev/fd/{reader}", "--seconds", "4"], pass_fds=[reader], **pipes
    )
    briefly = subprocess.Popen([*command, "listen", "-", "--seconds", "1"], **pipes)
    patient = subprocess.Popen([*command, "check", "-"], **{**pipes, "stdin": subprocess.PIPE, "text": False})
    (tmp_path / "sounddevice.py").write_text(SILENT_DEVICE)
    device = subprocess.Popen(
        [*command, "listen", "--seconds", "1"], env={**os.environ, "PYTHONPATH": str(tmp_path)}, **pipes
    )
    try:
        assert listening.stdout is not None
        assert "The input has stalled" in listening.stdout.readline()
        listening.send_signal(signal.SIGTERM)
        _, err = listening.communicate(timeout=20)
        assert (listening.returncode, "Traceback" in err) == (143, False)
        for process in (checking, listening_for, briefly, device):
            _, err = process.communicate(timeout=20)
            assert process.returncode == (4 if process is device else 6), err
            assert process is checking or "sent nothing" in err
        assert (
            patient.poll() is None
        )  # without --seconds it waits for the end of the pipe, and the wait does not count
        sf.write(tmp_path / "voice.wav", voice, 16_000)
        out, err = patient.communicate((tmp_path / "voice.wav").read_bytes(), timeout=20)
        assert (patient.returncode, out[:19]) == (0, b"OK: 0% of 6 s is no"), err
    finally:
        for process in (listening, checking, listening_for, briefly, device, patient):
            process.kill()
        os.close(reader)
        os.close(writer)
