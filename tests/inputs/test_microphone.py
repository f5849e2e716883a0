"""A real PortAudio stream on a virtual microphone."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines, sound_server, until


def test_devices_lists_the_microphone(run, microphone):
    done = run("devices", "--json", env=microphone.env)
    assert done.returncode == 0, done.stderr
    found = {d["name"]: d for d in map(json.loads, done.stdout.splitlines())}
    assert {"pulse", "default"} <= set(found)
    assert found["pulse"]["channels"] >= 1
    assert found["pulse"]["sample_rate"] >= 8_000
    assert sum(d["default"] for d in found.values()) == 1
    table = run("devices", env=microphone.env).stdout
    assert re.search(r"\d+ +pulse +ALSA", table)


def test_listen_judges_what_is_played(microphone, tmp_path: Path):
    """A clean voice, then the same voice in loud noise."""
    clean, rate = sf.read(DEMO, frames=4 * 16_000)
    rng = np.random.default_rng(0)
    noisy = clean + 0.05 * rng.standard_normal(len(clean))
    sf.write(tmp_path / "clip.wav", np.concatenate([clean, noisy]), rate)
    with microphone.listen("--seconds", 12) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())  # the stream is running
        assert first["state"] == "unknown"  # nothing plays yet
        assert first["reason"] == "digital_silence"
        player = microphone.play(tmp_path / "clip.wav")
        out, err = process.communicate(timeout=60)
        player.kill()
        player.wait()
    assert process.returncode == 0, err
    readings = lines(out)
    assert readings[-1]["time"] == pytest.approx(12, abs=0.1)
    states = "".join(r["state"][0] for r in readings)
    assert re.fullmatch("u+c+n+[cu]*", states), states
    assert "0 drops" in err


# Runs commands in one process, and prints their exit codes and stderr.
COMMANDS = """
import json, sys
from typer.testing import CliRunner
from noisewatch.cli.app import app

for words in json.load(sys.stdin):
    done = CliRunner().invoke(app, words)
    print(json.dumps([done.exit_code, done.stderr]))
"""


def test_a_device_is_selected_by_index_or_a_unique_part_of_its_name(microphone):
    commands = [
        ["check", "--device", "puls", "--seconds", "3"],
        ["check", "--device", "ul"],
        ["check", "--device", "no such thing"],
        ["check", "--device", "99"],
        ["check", "--device", "pulse", "--channel", "999"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], input=json.dumps(commands), env=microphone.env,
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    opened, ambiguous, unknown, no_index, no_channel = map(json.loads, done.stdout.splitlines())
    assert opened[0] == 4  # it opened, and sent only digital silence
    assert ambiguous[0] == 2
    assert "'ul' matches several devices" in ambiguous[1]
    assert "pulse" in ambiguous[1]
    assert "default" in ambiguous[1]
    assert unknown[0] == no_index[0] == 4
    assert "no input device matches 'no such thing'" in unknown[1]
    assert "pulse" in unknown[1]
    assert no_channel[0] == 2
    assert "no channel 999" in no_channel[1]


def hiss(path: Path) -> Path:
    """A minute of noise."""
    sf.write(path, 0.05 * np.random.default_rng(0).standard_normal(60 * 16_000), 16_000)
    return path


SURROUND = "front-left,front-right,rear-left,rear-right,front-center,lfe,side-left,side-right"

# Opens one source after another on what is played, reads 0.5 s of each, and prints the loudest frequency.
LISTENER = """
import json, os, sys
import numpy as np
from noisewatch.inputs.opening import open_source

sources = []
for sink, channel in json.load(sys.stdin):
    os.environ["PULSE_SOURCE"] = f"{sink}.monitor"
    sources.append(open_source(device="pulse", channel=channel))
for source in sources:
    heard, blocks = np.zeros(0), source.blocks()
    while len(heard) < source.sample_rate // 2:
        block = next(blocks)
        if isinstance(block, np.ndarray) and (len(heard) or block.any()):
            heard = np.concatenate([heard, block])
    print(round(np.abs(np.fft.rfft(heard)).argmax() * source.sample_rate / len(heard)))
sys.stdout.flush()
os._exit(0)
"""


def test_a_microphone_gives_the_requested_channel(microphone, tmp_path: Path):
    """And the first by default. Each channel plays its own tone: 300 Hz, 400 Hz and so on."""
    players, loaded, requests = [], [], []
    time_s = np.arange(60 * 16_000) / 16_000
    for channels, requested in ((1, [None, 1]), (2, [None, 1, 2]), (4, [3, 4]), (8, [None, 8, 5])):
        layout = "mono" if channels == 1 else ",".join(SURROUND.split(",")[:channels])
        options = [f"sink_name=of{channels}", "rate=48000", f"channels={channels}", f"channel_map={layout}"]
        loaded.append(microphone.pactl("load-module", "module-null-sink", *options).strip())
        tones = np.stack([0.1 * np.sin(2 * np.pi * (300 + 100 * k) * time_s) for k in range(channels)], 1)
        sf.write(tmp_path / f"{channels}.wav", tones, 16_000)
        players.append(microphone.play(tmp_path / f"{channels}.wav", f"of{channels}", f"--channel-map={layout}"))
        requests += [(f"of{channels}", channel) for channel in requested]
    try:
        done = subprocess.run(
            [sys.executable, "-c", LISTENER], input=json.dumps(requests), env=microphone.env,
            capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
    finally:
        for player in players:
            player.kill()
            player.wait()
        for module in loaded:
            microphone.pactl("unload-module", module)
    assert done.returncode == 0, done.stderr
    heard = [int(line) for line in done.stdout.split()]
    assert heard == pytest.approx([200 + 100 * (channel or 1) for _, channel in requests], abs=5)


def test_audio_that_is_late_lost_or_stalled(microphone, tmp_path: Path):
    clip = hiss(tmp_path / "hiss.wav")
    players = [microphone.play(clip, sink) for sink in ("mic", "two")]
    process = microphone.listen()
    try:
        until(process, "noise_start")
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)  # a second of audio waits in the sound server
        process.send_signal(signal.SIGCONT)
        late = until(process, "late")[-1]
        assert late["state"] == "noisy"
        moved = [line.split()[0] for line in microphone.pactl("list", "short", "source-outputs").splitlines()]
        microphone.pactl("move-source-output", moved[-1], "two.monitor")
        *_, end, lost = until(process, "input_lost")
        assert (end["event"], lost["reason"], lost["lost_s"] > 0.3) == ("noise_end", "gap", True)
        after = until(process, '"reading"')[-1]
        assert after["time"] == pytest.approx(lost["time"] + lost["lost_s"] + 3, abs=0.01)
        assert until(process, "input_back")[-1]["lost_s"] == lost["lost_s"]
        microphone.pactl("suspend-sink", "two", "1")
        try:
            assert until(process, "input_lost")[-1]["reason"] == "stalled"
        finally:
            microphone.pactl("suspend-sink", "two", "0")
        back = until(process, "input_back")[-1]
        assert back["lost_s"] > 2.5  # stream time skips what was not sent, too
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "2 drops" in err
        assert "Traceback" not in err
    finally:
        for each in (process, *players):
            each.kill()
            each.wait()


def test_a_sound_server_that_hangs_is_abandoned(tmp_path: Path):
    command = [sys.executable, "-m", "noisewatch"]
    with sound_server(tmp_path) as server:
        player = server.play(hiss(tmp_path / "hiss.wav"))
        with server.listen("--log", tmp_path / "log") as process:
            until(process, "noise_start")
            server.daemon.send_signal(signal.SIGSTOP)
            started = [
                subprocess.Popen([*command, *words], env=server.env, stderr=subprocess.PIPE, text=True)
                for words in (["devices"], ["check", "--seconds", "3"])
            ]
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        player.kill()
        player.wait()
        assert process.returncode == 143
        assert "100% of it noisy, 1 noise" in err
        assert [e["event"] for e in lines(out, "event")] == ["noise_end"]
        assert '"noise_end"' in (tmp_path / "log").read_text()
        for process in started:
            _, err = process.communicate(timeout=20)
            assert process.returncode == 4
            assert "does not answer" in err
