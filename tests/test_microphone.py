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

from noisewatch.inputs.gaps import Arrivals


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
    sf.write(tmp_path / "clip.wav", np.concatenate([clean, noisy]), rate)
    with microphone.listen("--seconds", 14) as process:
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
    assert readings[-1]["time"] == pytest.approx(14, abs=0.1)
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


def hiss(path: Path, seconds: int, voice: np.ndarray | None = None, *, swapped: bool = False) -> Path:
    """Noise; or in stereo, a voice on the left and the noise on the right."""
    noise = 0.05 * np.random.default_rng(0).standard_normal(seconds * 16_000)
    sides = [noise] if voice is None else [np.resize(voice, len(noise)), noise]
    sf.write(path, np.stack(sides[::-1] if swapped else sides, 1), 16_000)
    return path


SURROUND = "front-left,front-right,rear-left,rear-right,front-center,lfe,side-left,side-right"


def test_a_microphone_gives_the_channel_that_is_asked_for(microphone, tmp_path: Path, voice: np.ndarray):
    """The voice is on the left of one and on the right of the other; of more channels, on one that is asked for."""
    asked: list[tuple[str, tuple[str, ...], int]] = []
    players, loaded = [], []
    for sink, swapped in (("mic", False), ("two", True)):
        players.append(microphone.play(hiss(tmp_path / f"{sink}.wav", 20, voice, swapped=swapped), sink))
        noisy = (0, 0, 3) if not swapped else (3, 3, 0)
        asked += zip([sink] * 3, [(), ("--channel", "1"), ("--channel", "2")], noisy, strict=True)
    for channels, spoken, other in ((1, 1, None), (4, 3, 4), (8, 8, 5)):
        sink, layout = f"of{channels}", "mono" if channels == 1 else ",".join(SURROUND.split(",")[:channels])
        sides = np.repeat(0.05 * np.random.default_rng(0).standard_normal(20 * 16_000)[:, None], channels, 1)
        sides[:, spoken - 1] = np.resize(voice, len(sides))
        sf.write(tmp_path / f"{sink}.wav", sides, 16_000)
        options = [f"sink_name={sink}", "rate=48000", f"channels={channels}", f"channel_map={layout}"]
        loaded.append(microphone.pactl("load-module", "module-null-sink", *options).strip())
        players.append(microphone.play(tmp_path / f"{sink}.wav", sink, f"--channel-map={layout}"))
        asked.append((sink, ("--channel", str(spoken)) if other else (), 0))
        if other is not None:
            asked.append((sink, ("--channel", str(other)), 3))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "noisewatch", "check", "--device", "pulse", "--seconds", "4", *channel],
            env={**microphone.env, "PULSE_SOURCE": f"{sink}.monitor"}, stdout=subprocess.PIPE, text=True,
        )
        for sink, channel, _ in asked
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=60)[0] for process in started]
    finally:
        for player in players:
            player.kill()
            player.wait()
        for module in loaded:
            microphone.pactl("unload-module", module)
    assert [process.returncode for process in started] == [code for *_, code in asked], said


def test_audio_that_is_late_lost_or_stalled(microphone, tmp_path: Path):
    clip = hiss(tmp_path / "hiss.wav", 60)
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
        assert back["lost_s"] > 2.5  # stream time jumps over what was not sent, too
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "2 drops" in err
        assert "Traceback" not in err
    finally:
        for each in (process, *players):
            each.kill()
            each.wait()


def test_a_sound_server_that_hangs_can_be_left(run, tmp_path: Path):
    with sound_server(tmp_path) as server:
        player = server.play(hiss(tmp_path / "hiss.wav", 60))
        patient = server.listen()
        with server.listen("--log", tmp_path / "log") as process:
            until(process, "noise_start")
            server.daemon.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        player.kill()
        player.wait()
        assert process.returncode == 143
        assert "100% of it noisy, 1 noise" in err
        assert [e["event"] for e in lines(out, "event")] == ["noise_end"]
        assert '"noise_end"' in (tmp_path / "log").read_text()
        command = [sys.executable, "-m", "noisewatch"]
        started = [
            subprocess.Popen([*command, *words], env=server.env, stderr=subprocess.PIPE, text=True)
            for words in (["devices"], ["check", "--seconds", "3"])
        ]
        for process in started:
            _, err = process.communicate(timeout=20)
            assert process.returncode == 4
            assert "does not answer" in err
        server.daemon.kill()
        out, err = patient.communicate(timeout=20)
        assert patient.returncode == 4
        assert "the input pulse is gone" in err
        assert "Expression" not in err  # PortAudio's own thread
        assert [e["event"] for e in lines(out, "event")] == ["noise_start", "noise_end", "input_lost"]


def arrived(*parts: tuple[float, float]) -> tuple[float, float]:
    """Blocks of 50 ms: seconds of them, each part this much later than the one before; what is lost, and late."""
    arrivals, now, lost, late, blocks = Arrivals(1_000), 0.0, 0.0, 0.0, 0
    for seconds, delay in parts:
        now += delay
        for _ in range(round(seconds / 0.05)):
            now += 0.05
            arrivals.add(now, np.zeros(50, np.float32))
            taken, lost_s, late_s = arrivals.take(now)
            blocks += len(taken)
            lost, late = lost + lost_s, max(late, late_s)
    assert blocks == sum(round(seconds / 0.05) for seconds, _ in parts)
    return lost, late


@pytest.mark.parametrize(
    ("parts", "lost"),
    [
        ([(8, 0)], 0),
        ([(4, 0), (4, 1.8)], 1.8),
        ([(4, 0), (4, 0.25)], 0),
        ([(2, 0), (1, 0.1), (1, 0.1), (1, 0.1), (2, 0.1)], 0.4),
        ([(8, 0.1)] * 6, 0),  # a slow clock
        ([(4, 0), (0.3, 0.6), (4, -0.6)], 0),  # late, and all there
        ([(4, 0), (0.3, 2.0), (4, -1.0)], 1.0),  # late, and a part is missing
        ([(4, 0), (4, 60)], 60),
    ],
)
def test_missing_audio_is_told_from_audio_that_is_late(parts: list[tuple[float, float]], lost: float):
    assert arrived(*parts)[0] == pytest.approx(lost, abs=0.02)
