"""How a session ends: signals, and machines without a microphone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FAST = ("--fast", "--json")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_in_order(number: int, code: int):
    command = [sys.executable, "-m", "noisewatch", "listen", "demo", "--json"]
    ignored = "trap '' HUP INT; exec \"$@\"" if code == 143 else 'exec "$@"'  # as nohup and & leave it
    with subprocess.Popen(
        ["sh", "-c", ignored, "-", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/tmp",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline()
        if code == 143:
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGINT)
            assert json.loads(process.stdout.readline())["time"] == 3.1
        process.send_signal(number)
        rest, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert json.loads(first)["time"] == 3.0
    assert all(json.loads(line) for line in rest.splitlines())
    assert "heard" in err
    assert "Traceback" not in err


def test_without_a_microphone_the_error_suggests_the_demo(run, tmp_path: Path):
    pytest.importorskip("sounddevice", exc_type=OSError, reason="the PortAudio library is not installed")
    # No configuration that names a sound server, and none in reach.
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": "unix:/nowhere"}
    if run("devices", env=env).returncode == 0:
        pytest.skip("this machine has a microphone")
    done = run("listen", env=env)
    assert done.returncode == 4
    assert "noisewatch listen demo" in done.stderr
    assert "ALSA" not in done.stderr


def test_without_portaudio_the_error_names_the_package(run, tmp_path: Path):
    # A stand-in that fails as the real module does without its library.
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    done = run("devices", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 4
    assert "libportaudio2" in done.stderr
    assert run("listen", "demo", *FAST, "--seconds", 4, env={"PYTHONPATH": str(tmp_path)}).returncode == 0


def test_the_name_of_a_device_cannot_steer_the_terminal(run, tmp_path: Path):
    device = {
        "index": 0,
        "name": "a\x1b[2Jb\n[bold]c",
        "hostapi": 0,
        "max_input_channels": 1,
        "default_samplerate": 8e3,
    }
    (tmp_path / "sounddevice.py").write_text(
        f"class PortAudioError(Exception): pass\n"
        f"def query_hostapis(): return [{{'name': 'api'}}]\n"
        f"def query_devices(kind=None): return {device} if kind else [{device}]\n"
        f"def InputStream(**options): raise PortAudioError('no')\n"
    )
    for words in (["devices"], ["listen"], ["listen", "--device", "x"], ["calibrate", "--channel", "2"]):
        done = run(*words, env={"PYTHONPATH": str(tmp_path)})
        assert "a?[2Jb?[bold]c" in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
