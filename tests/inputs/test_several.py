"""Several inputs in one process: microphones on a real sound server, and the channels of recordings."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from conftest import VirtualMicrophone, alsa_devices, lines, sound_server, until
from pseudo_terminal import Terminal

import noisewatch
from noisewatch.outputs.log import Log


@pytest.fixture(scope="module")
def hiss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of noise."""
    path = tmp_path_factory.mktemp("hiss") / "hiss.wav"
    sf.write(path, 0.05 * np.random.default_rng(0).standard_normal(60 * 16_000), 16_000)
    return path


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory, voice: np.ndarray, noisy_voice: np.ndarray) -> Path:
    """Both sides of a call: noise behind the voice on the left, a clean voice on the right."""
    path = tmp_path_factory.mktemp("call") / "call.wav"
    sf.write(path, np.stack([noisy_voice, voice], 1), 16_000)
    return path


def of(items: list[dict[str, Any]], name: str) -> list[str]:
    """The names of the events of an input."""
    return [e["event"] for e in items if e["type"] == "event" and e["input"] == name]


def test_two_microphones_go_away_and_come_back(tmp_path: Path, hiss: Path):
    """Each has its own readings, numbers and clips. Neither ends the stream of the other by coming back.

    One of them is missing at the start, and waited for.
    """
    log, clips, seen = tmp_path / "events", tmp_path / "clips", tmp_path / "seen"
    script = f"sh -c 'echo $NOISEWATCH_EVENT_INPUT {{input}} >> {seen}'"
    with sound_server(tmp_path) as server:
        alsa_devices(server, one="mic")
        players = [server.play(hiss)]
        process = server.listen(
            "--device", "one", "--device", "other", "--wait", "--hop", 0.5,
            "--log", log, "--keep-clips", clips, "--labels", tmp_path / "labels", "--csv", tmp_path / "csv",
            "--exec", script,
        )  # fmt: skip
        try:
            assert process.stderr is not None
            assert "waiting for other" in process.stderr.readline()
            alsa_devices(server, one="mic", other="two")
            heard = until(process, "noise_start")
            heard += until(process, '"input": "other"')
            assert {r["input"] for r in heard} == {"one", "other"}
            assert of(heard, "one") == ["noise_start"]
            assert {r["reason"] for r in heard if r["input"] == "other"} == {"digital_silence"}
            server.daemon.kill()
            server.daemon.wait()
            lost = until(process, "disconnected") + until(process, "disconnected")
            while len({e["input"] for e in lost if e.get("reason") == "disconnected"}) < 2:
                lost += until(process, "disconnected")
            server.start()
            players += [server.play(hiss), server.play(hiss, "two")]
            back: list[dict[str, Any]] = []
            while {e["input"] for e in back if e.get("event") == "noise_start"} != {"one", "other"}:
                back += until(process, "noise_start")
            starts = {e["input"]: e["id"] for e in back if e.get("event") == "noise_start"}
            assert starts == {"one": 2, "other": 1}
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            for each in (process, *players):
                each.kill()
                each.communicate()
    assert process.returncode == 130
    assert re.search(r"^one: heard .*, 2 noises, 1 drop$", err, re.MULTILINE), err
    assert re.search(r"^other: heard .*, 1 noise, 1 drop$", err, re.MULTILINE), err
    assert "Traceback" not in err
    logged = lines(log.read_text(), "event")
    assert of(logged, "one") == ["noise_start", "noise_end", "input_lost", "input_back", "noise_start", "noise_end"]
    assert of(logged, "other")[-4:] == ["input_lost", "input_back", "noise_start", "noise_end"]
    assert sorted(re.sub(r"\S*_(\d-\w+)_noise(\d)_.*", r"\1 \2", clip.name) for clip in clips.iterdir()) == [
        "1-one 1", "1-one 2", "2-other 1",
    ]  # fmt: skip
    assert set(seen.read_text().splitlines()) == {"one one", "other other"}
    labels = [line.split("\t")[2].partition(": ")[0] for line in (tmp_path / "labels").read_text().splitlines()[1:]]
    assert sorted(labels) == ["one", "one", "other"]
    assert sorted(row.rpartition(",")[2] for row in (tmp_path / "csv").read_text().splitlines()) == [
        "input", "one", "one", "other",
    ]  # fmt: skip


@contextmanager
def two_servers(home: Path, hiss: Path) -> Iterator[tuple[VirtualMicrophone, VirtualMicrophone]]:
    """A microphone on each of two sound servers: `one` on the first, `other` on the second. Noise plays on both."""
    folders = home / "1", home / "2"
    for folder in folders:
        folder.mkdir()
    with sound_server(folders[0]) as first, sound_server(folders[1]) as second:
        alsa_devices(first, one="mic", other=second)
        players = [first.play(hiss), second.play(hiss)]
        try:
            yield first, second
        finally:
            for player in players:
                player.kill()
                player.wait()


def test_one_that_goes_away_and_comes_back_leaves_the_other_alone(tmp_path: Path, hiss: Path):
    with two_servers(tmp_path, hiss) as (first, second):
        process = first.listen("--device", "one", "--device", "other", "--hop", 0.5)
        try:
            heard = until(process, "noise_start") + until(process, "noise_start")
            assert {e["input"] for e in heard if e["type"] == "event"} == {"one", "other"}
            second.stop()
            heard = until(process, "disconnected")
            second.start()
            player = second.play(hiss)
            heard += until(process, "noise_start")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            heard += [json.loads(line) for line in out.splitlines()]
        finally:
            for each in (process, player):
                each.kill()
                each.communicate()
    assert process.returncode == 130
    assert of(heard, "other") == ["noise_end", "input_lost", "input_back", "noise_start", "noise_end"]
    assert {r["state"] for r in heard if r["type"] == "reading" and r["input"] == "one"} == {"noisy"}
    assert of(heard, "one") == ["noise_end"]
    assert re.search(r"^one: heard .*, 1 noise, 0 drops$", err, re.MULTILINE), err


# Two microphones; the devices are listed anew while they are open. Prints what each yields, in short.
REFRESHING = """
import os, sys
import numpy as np
from noisewatch.inputs.portaudio import refresh
from noisewatch.inputs.several import open_inputs
from noisewatch.inputs.source import Lost

inputs = open_inputs(device=["one", "other"])
blocks = [source.blocks() for source in inputs.sources.values()]

def heard(blocks):
    while not (isinstance(block := next(blocks), np.ndarray) and np.abs(block).max() > 0.01):
        if isinstance(block, Lost):
            print("lost", 0 < block.seconds < 10)
    print("heard")

for each in blocks:
    heard(each)
refresh()
for each in blocks:
    while not isinstance(block := next(each), Lost):
        pass
    print("lost", 0 < block.seconds < 10)
    heard(each)
inputs.close()
sys.stdout.flush()
os._exit(0)
"""


def test_listing_the_devices_anew_is_a_gap(tmp_path: Path, hiss: Path):
    """It closes all streams of the process; they are opened again, and what is missing is told."""
    with sound_server(tmp_path) as server:
        alsa_devices(server, one="mic", other="two")
        players = [server.play(hiss), server.play(hiss, "two")]
        done = subprocess.run(
            [sys.executable, "-c", REFRESHING], env=server.env, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        for player in players:
            player.kill()
            player.wait()
    assert (done.stdout.split("\n"), done.stderr) == ([*2 * ["heard"], *2 * ["lost True", "heard"], ""], "")


def test_the_others_go_on_and_the_exit_code_tells(tmp_path: Path, hiss: Path):
    """Without reconnecting, one ends. The meter shows a row for each."""
    words = ("listen", "--device", "one", "--device", "other", "--no-reconnect", "--seconds", "14")
    with two_servers(tmp_path, hiss) as (first, second):
        meter = Terminal(80, 24, *words, env=first.env)
        try:
            meter.wait_for(r"2 inputs · (.|\n)*one +NOISY(.|\n)*other +NOISY")
            second.stop()
            screen = meter.wait_for(r"other +UNKNOWN(.|\n)*It has ended: the input other is gone")
            assert re.search(r"one +NOISY +for \d+ s +SNR", screen)
            assert meter.exit_code() == 4
            assert meter.restored
        finally:
            meter.close()
    said = meter.raw.decode()
    assert re.search("one: heard 14 s, 100% of it noisy, 1 noise, 0 drops", said)
    assert "other has ended: the input other is gone" in said


def test_two_channels_of_one_microphone(microphone, hiss: Path, tmp_path: Path):
    """One stream of PortAudio; noise on the first channel only."""
    options = ["sink_name=stereo", "rate=48000", "channels=2"]
    module = microphone.pactl("load-module", "module-null-sink", *options).strip()
    samples, rate = sf.read(hiss)
    sf.write(tmp_path / "left.wav", np.stack([samples, 0 * samples], 1), rate)
    player = microphone.play(tmp_path / "left.wav", "stereo")
    microphone.env["PULSE_SOURCE"] = "stereo.monitor"
    try:
        with microphone.listen("--channel", 1, "--channel", 2, "--seconds", 5) as process:
            out, err = process.communicate(timeout=60)
    finally:
        del microphone.env["PULSE_SOURCE"]
        player.kill()
        player.wait()
        microphone.pactl("unload-module", module)
    assert process.returncode == 4  # nothing of the second one could be judged
    assert "none of pulse channel 2 could be judged" in err
    last = {r["input"]: r for r in lines(out)}
    assert last["pulse channel 1"]["state"] == "noisy"
    assert last["pulse channel 2"]["reason"] == "digital_silence"
    assert len({r["time"] for r in lines(out)}) == len(lines(out)) / 2


def test_the_channels_of_a_recording(run, call: Path):
    both = run("listen", call, "--fast", "--json", "--channel", 1, "--channel", 2)
    assert both.returncode == 0, both.stderr
    for channel, state in ((1, "noisy"), (2, "clean")):
        name = f"call.wav channel {channel}"
        alone = lines(run("listen", call, "--fast", "--json", "--channel", channel).stdout)
        together = [{**r, "input": None} for r in lines(both.stdout) if r["input"] == name]
        assert together == alone
        assert together[-1]["state"] == state
        assert f"{name}: heard 6 s" in both.stderr


def test_in_python(call: Path, tmp_path: Path, detector):
    path = tmp_path / "log"
    with noisewatch.listen(call, channel=[1, 2], model=detector, sinks=[Log(path)]) as items:
        heard = [next(items) for _ in range(10)]
    assert {item.input for item in heard} <= {"call.wav channel 1", "call.wav channel 2"}
    logged = [json.loads(line) for line in path.read_text().splitlines()]
    assert {e["input"] for e in logged} <= {"call.wav channel 1"}
    items = noisewatch.listen(call, channel=[1, 2], model=detector, hop=3.0)
    assert sorted((i.input, i.time) for i in items if isinstance(i, noisewatch.Reading)) == [
        (f"call.wav channel {channel}", time) for channel in (1, 2) for time in (3.0, 6.0)
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("-d pulse -d pul", 2, "is given twice. Give every device once."),
        ("-d pulse -d none", 4, "no input device matches 'none'"),
        ("--channel 2 --channel 2", 2, "channel 2 is given twice. Give every channel once."),
        ("-d a -d b -d c --channel 1 --channel 2 --channel 3", 2, "are 9 inputs; allowed: up to 8"),
        ("--follow-default --channel 1 --channel 2", 2, "--follow-default is for one input"),
        ("- --channel 1 --channel 2", 2, "'-' is a pipe, which is one input"),
    ],
)
def test_what_is_refused(run, microphone, words: str, code: int, message: str):
    done = run("listen", *words.split(), env=microphone.env)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_lists_in_the_configuration(run, microphone, tmp_path: Path):
    """The file holds lists, a variable one value per line; commands with one input refuse several."""
    file = tmp_path / "config.toml"
    file.write_text("channel = [1, 2]\n")
    env = {**microphone.env, "NOISEWATCH_CONFIG": str(file), "NOISEWATCH_DEVICE": "USB Audio\nother"}
    rows = {r["option"]: r["value"] for r in map(json.loads, run("config", "--json", env=env).stdout.splitlines())}
    assert (rows["device"], rows["channel"]) == (["USB Audio", "other"], [1, 2])
    done = run("listen", env=env)
    assert (done.returncode, "'USB Audio'" in done.stderr) == (4, True)
    done = run("check", env=env)
    assert done.returncode == 2
    assert "--device is given several times: USB Audio, other. Here it can be given once." in done.stderr
