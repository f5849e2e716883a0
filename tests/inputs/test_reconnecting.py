"""Microphones that go away and come back, on a real sound server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import VirtualMicrophone, lines, sound_server, until
from pseudo_terminal import Terminal

from noisewatch.inputs.devices import Device, find_again


@pytest.fixture(scope="module")
def hiss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of noise."""
    path = tmp_path_factory.mktemp("hiss") / "hiss.wav"
    sf.write(path, 0.05 * np.random.default_rng(0).standard_normal(60 * 16_000), 16_000)
    return path


def test_a_sound_server_that_restarts(tmp_path: Path, hiss: Path):
    """The loss is told at once, stream time includes it, events are numbered on, and clips do not span it.

    Another process on the same device comes back, too.
    """
    clips = tmp_path / "clips"
    with sound_server(tmp_path) as server:
        players = [server.play(hiss)]
        process = server.listen("--keep-clips", clips, "--log", tmp_path / "events")
        other = server.listen("--hop", 0.5)
        try:
            until(process, "noise_start")
            time.sleep(1)
            server.daemon.kill()
            server.daemon.wait()
            gone = time.monotonic()
            *_, end, lost = until(process, "input_lost")
            assert time.monotonic() - gone < 1.5
            assert (end["event"], end["id"], lost["reason"]) == ("noise_end", 1, "disconnected")
            waiting = until(process, "reading")[-1]
            assert (waiting["reason"], waiting["state"]) == ("disconnected", "unknown")
            server.start()
            players.append(server.play(hiss))
            back = until(process, "input_back")[-1]
            assert back["time"] >= lost["time"] + back["lost_s"] + 3 - 0.01
            assert back["lost_s"] == pytest.approx(time.monotonic() - gone - 3, abs=1)
            second = until(process, "noise_start")[-1]
            assert (second["id"], second["onset"] >= back["time"] - 3.01) == (2, True)
            assert until(other, "input_back")[-1]["lost_s"] == pytest.approx(back["lost_s"], abs=2.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            for each in (process, other, *players):
                each.kill()
                each.communicate()
    assert process.returncode == 130
    assert "1 drop" in err
    assert "Traceback" not in err
    logged = [e["event"] for e in lines((tmp_path / "events").read_text(), "event")]
    assert logged == ["noise_start", "noise_end", "input_lost", "input_back", "noise_start", "noise_end"]
    lengths = sorted(sf.info(clip).duration for clip in clips.iterdir())
    ends = [e for e in lines((tmp_path / "events").read_text(), "event") if e["event"] == "noise_end"]
    for length, duration in zip(lengths, sorted(e["duration"] for e in ends), strict=True):
        assert length < duration + 0.2  # nothing from before the gap, or from the time without input


def test_the_meter_says_what_it_waits_for(tmp_path: Path, hiss: Path):
    with sound_server(tmp_path) as server:
        player = server.play(hiss)
        meter = Terminal(90, 24, "listen", "--device", "pulse", env=server.env)
        try:
            meter.wait_for("NOISY")
            server.daemon.kill()
            meter.wait_for(r"UNKNOWN  for [2-9] s(.|\n)*pulse has been gone since \d\d:\d\d:\d\d")
            assert meter.end(b"\x03") == 130
            assert meter.restored
        finally:
            meter.close()
            player.kill()
            player.wait()


def test_without_reconnecting_it_ends(tmp_path: Path, hiss: Path):
    with sound_server(tmp_path) as server:
        player = server.play(hiss)
        process = server.listen("--no-reconnect")
        until(process, "noise_start")
        server.daemon.kill()
        out, err = process.communicate(timeout=20)
        player.kill()
        player.wait()
    assert process.returncode == 4
    assert "the input pulse is gone" in err
    assert "Expression" not in err  # PortAudio's own thread
    assert [e["event"] for e in lines(out, "event")] == ["noise_end", "input_lost"]


def test_a_device_that_is_missing_at_the_start_or_sends_nothing(tmp_path: Path, hiss: Path):
    """`--wait`, for a server that starts later; then one that stands still for longer than the watchdog waits."""
    with sound_server(tmp_path) as server:
        server.stop()
        waiting = server.listen("--wait")
        assert waiting.stderr is not None
        assert "waiting for pulse" in waiting.stderr.readline()
        server.start()
        player = server.play(hiss)
        try:
            until(waiting, "noise_start")
            server.daemon.send_signal(signal.SIGSTOP)
            assert until(waiting, "input_lost")[-1]["reason"] == "stalled"
            time.sleep(9)  # it tries to open the device again, which cannot succeed yet
            server.daemon.send_signal(signal.SIGCONT)
            back = until(waiting, "input_back")[-1]
            assert back["lost_s"] > 11
        finally:
            waiting.send_signal(signal.SIGINT)
            waiting.communicate(timeout=20)
            player.kill()
            player.wait()
        assert waiting.returncode == 130


def test_it_ends_within_a_second_in_every_state(tmp_path: Path, hiss: Path):
    """While it opens a device, waits for one, has lost it, stalls, and asks a hung server for it."""
    ended: dict[tuple[str, int], float] = {}

    def end(state: str, processes: dict[int, subprocess.Popen[str]]) -> None:
        began = time.monotonic()
        for number, process in processes.items():
            process.send_signal(number)
        for number, process in processes.items():
            _, err = process.communicate(timeout=20)
            ended[state, number] = time.monotonic() - began
            assert process.returncode == 128 + number, (state, err)
            assert "Traceback" not in err, state

    signals = signal.SIGINT, signal.SIGTERM
    with sound_server(tmp_path) as server:
        player = server.play(hiss)
        gone, stalled, asking = (
            {number: server.listen("--log", tmp_path / f"{state} {number}", "--hop", 0.5) for number in signals}
            for state in ("gone", "stalled", "asking")
        )
        for processes in (gone, stalled, asking):
            for process in processes.values():
                until(process, "noise_start")
        server.daemon.send_signal(signal.SIGSTOP)
        for process in stalled.values():
            until(process, "input_lost")
        end("stalled", stalled)
        opening = {number: server.listen() for number in signals}
        time.sleep(2)  # they have loaded, and wait for the server, which they do for 3 s
        end("opening", opening)
        time.sleep(6)
        end("asking", asking)
        server.daemon.kill()
        server.daemon.wait()
        for process in gone.values():
            until(process, "disconnected")
        end("gone", gone)
        waiting = {number: server.listen("--wait") for number in signals}
        for process in waiting.values():
            assert process.stderr is not None
            process.stderr.readline()
        end("waiting", waiting)
        player.kill()
        player.wait()
    assert max(ended.values()) < 1, ended
    for name in ("gone", "stalled", "asking"):
        for number in signals:
            logged = [e["event"] for e in lines((tmp_path / f"{name} {number}").read_text(), "event")]
            assert logged == ["noise_start", "noise_end", "input_lost"], name


def alsa_devices(server: VirtualMicrophone, **sinks: str) -> None:
    """Replace the ALSA devices by these. Each records what is played into a sink of the sound server."""
    home = Path(server.env["HOME"])
    (home / "alsa.conf").write_text(Path("/usr/share/alsa/alsa.conf").read_text().replace('"/etc/alsa/conf.d"', ""))
    server.env["ALSA_CONFIG_PATH"] = str(home / "alsa.conf")
    device = "pcm.!{} {{ type pulse device {}.monitor hint {{ show on description x }} }}\n"
    (home / ".asoundrc").write_text("".join(device.format(name, sink) for name, sink in sinks.items()))


def test_devices_that_come_and_go(tmp_path: Path, hiss: Path):
    """One that is back is found by its name under another number, and never replaced. A new default is followed."""
    with sound_server(tmp_path) as server:
        alsa_devices(server, mine="mic")
        players = [server.play(hiss), server.play(hiss, "two")]
        started = [server.listen("--device", "mine"), server.listen("--follow-default", "--hop", 0.5)]
        try:
            for process in started:
                assert until(process, "noise_start")[-1]["device"] == "mine"
            alsa_devices(server, mine="mic", default="two")  # PortAudio's default is the one of this name
            moved = [item for item in until(started[1], "default") if item["type"] == "event"]
            assert [(e["event"], e["device"]) for e in moved] == [
                ("noise_end", "mine"),
                ("input_lost", "mine"),
                ("input_back", "default"),
            ]
            assert moved[-1]["time"] < 15
            alsa_devices(server, other="two")  # the first one is unplugged, and another takes its number
            server.stop()
            assert until(started[0], "input_lost")[-1]["reason"] == "disconnected"
            server.start()
            players.append(server.play(hiss))
            for _ in range(4):  # seconds
                assert until(started[0], "reading")[-1]["reason"] == "disconnected"
            alsa_devices(server, other="two", mine="mic")
            assert until(started[0], "noise_start")[-1]["device"] == "mine"
        finally:
            for each in (*started, *players):
                each.kill()
                each.communicate()


# A driver whose device disappears a moment after it was opened, every time.
UNSTEADY = """
import numpy as np, threading, time

class PortAudioError(Exception): pass

class InputStream:
    def __init__(self, callback, blocksize, channels, **options):
        self.opened = time.monotonic()
        block = np.full((blocksize, channels), 0.1, np.float32)
        flags = type("Flags", (), {"input_overflow": False})
        self.start = lambda: callback(block, blocksize, None, flags)
    active = property(lambda self: time.monotonic() < self.opened + 0.1)
    def abort(self): pass
    def close(self): pass

_device = {"index": 0, "name": "mic", "hostapi": 0, "max_input_channels": 1, "default_samplerate": 16e3}
def _initialize(): pass
def _terminate(): pass
def query_hostapis(): return [{"name": "api"}]
def query_devices(kind=None): return _device if kind else [_device]
"""


# Asks twice for the devices; in between, the process that is asked dies.
DYING = """
from noisewatch.inputs.lookout import Lookout

lookout = Lookout()
print([device.name for device in lookout.look().result(20)])
lookout._process.kill()
lookout._process.wait()
print([device.name for device in lookout.look().result(20)])
lookout.close()
"""


def test_a_lookout_that_dies_is_replaced(tmp_path: Path):
    """And the folder that the user is in cannot spoil it."""
    (tmp_path / "sounddevice.py").write_text(UNSTEADY)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "queue.py").write_text("raise ImportError('not the one of the standard library')\n")
    command = [sys.executable, "-P", "-c", DYING]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("['mic']\n['mic']\n", "")


def test_a_storm_of_reopenings_slows_down_and_says_so(run, tmp_path: Path):
    (tmp_path / "sounddevice.py").write_text(UNSTEADY)
    command = [sys.executable, "-m", "noisewatch", "listen", "--json"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert "mic came back and failed 11 times in a minute" in said
    assert process.returncode == 130
    assert "11 drops" in err or "12 drops" in err
    assert len([e for e in lines(out, "event") if e["event"] == "input_lost"]) == 1  # nothing was judged since


def test_devices_are_recognised_by_name():
    listed = [
        Device(0, "USB Mic: Audio (hw:2,0)", "ALSA", 1, 48_000, False),
        Device(1, "Microphone (3- Yeti)", "MME", 2, 44_100, False),
        Device(2, "Microphone (3- Yeti)", "Windows WASAPI", 2, 48_000, True),
        Device(3, "Other", "ALSA", 2, 48_000, False),
    ]
    assert find_again(Device(4, "USB Mic: Audio (hw:1,0)", "ALSA", 1, 48_000, False), listed).index == 0
    assert find_again(Device(0, "Microphone (2- Yeti)", "Windows WASAPI", 2, 48_000, True), listed).index == 2
    assert find_again(Device(0, "Microphone (Yeti)", "MME", 2, 44_100, True), listed).index == 1
    with pytest.raises(Exception, match=re.escape("Gone (hw:1,0) is not listed")):
        find_again(Device(3, "Gone (hw:1,0)", "ALSA", 2, 48_000, False), listed)
