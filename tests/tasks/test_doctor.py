"""First aid, on real microphones and without one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile as sf
from conftest import DEMO, VirtualMicrophone, sound_server


def started(server: VirtualMicrophone, *words: str, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "noisewatch", "doctor", "--device", "pulse", "--json", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env={**server.env, **env}, stdout=pipe, stderr=pipe, text=True, cwd="/tmp")


def test_doctor(tmp_path: Path):
    """A voice, the same with an offset, silence, and a sound server that hangs; each has its exit code."""
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * 16_000)
    voice = np.tile(voice, 10)
    sf.write(tmp_path / "voice.wav", voice, 16_000)
    sf.write(tmp_path / "offset.wav", voice + 0.1, 16_000)
    with sound_server(tmp_path) as server:
        for name in ("voice", "offset"):
            server.pactl("load-module", "module-null-sink", f"sink_name={name}", "rate=48000")
        players = [server.play(tmp_path / f"{name}.wav", name) for name in ("voice", "offset")]
        well = started(server, "--seconds", "4", NOISEWATCH_HOP="0.5", PULSE_SOURCE="voice.monitor")
        shifted = started(server, "--seconds", "4", PULSE_SOURCE="offset.monitor")
        silent = started(server, "--seconds", "3", PULSE_SOURCE="mic.monitor")
        (out, err), (ill, _), (dead, _) = (process.communicate(timeout=40) for process in (well, shifted, silent))
        server.daemon.send_signal(signal.SIGSTOP)
        hung = started(server)
        unanswered, _ = hung.communicate(timeout=40)
        for player in players:
            player.kill()
            player.wait()
    report = json.loads(out)
    assert (well.returncode, report["findings"], report["usable"]) == (0, [], True), err
    assert report["input"]["device"] == "pulse"
    assert report["input"]["native_rate_hz"] == report["input"]["opened_rate_hz"]
    assert -40 < report["signal"]["level_dbfs"] < -15
    assert report["signal"]["floor_dbfs"] < -50
    assert report["signal"]["voice"] == 1
    assert report["configuration"]["hop"] == "0.5 (environment)"
    assert len(report["model"]["sha256"]) == 64
    assert {"system", "packages", "sound", "devices", "cost", "terminal"} <= set(report)
    assert shifted.returncode == 3
    assert [finding.split(":")[0] for finding in json.loads(ill)["findings"]] == ["dc"]
    assert silent.returncode == 4
    assert "digital silence" in json.loads(dead)["findings"][0]
    assert hung.returncode == 4
    assert ["does not answer" in finding for finding in json.loads(unanswered)["findings"]] == [True]


def test_doctor_without_portaudio(run, tmp_path: Path):
    """The rest is examined all the same."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    done = run("doctor", env={"PYTHONPATH": str(tmp_path), "NOISEWATCH_MODEL": "tcn"})
    assert done.returncode == 4
    assert "name               tcn" in done.stdout
    assert "1. the PortAudio library is missing" in done.stdout
    assert "2." not in done.stdout.split("findings")[1]
    refused = run("doctor", "--seconds", "1")
    assert (refused.returncode, "allowed: 3 (one window) to 600" in refused.stderr) == (2, True)
