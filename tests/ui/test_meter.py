"""The meter as a terminal shows it. Commands of one test run at the same time: they listen in real time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf
from conftest import DEMO
from pseudo_terminal import Terminal

from noisewatch.core.shipped import DEFAULT

CTRL_C = b"\x03"


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(*args: Any, **more: Any) -> Terminal:
        opened.append(Terminal(*args, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_the_meter_shows_everything_in_80_columns_and_more(terminal):
    for one in [terminal(80, 24, "listen", "demo"), terminal(120, 40, "listen", "demo")]:
        if one.screen.columns == 80:  # the second meter is past this by now
            one.wait_for(r"WARMING UP(.|\n)*level +█+·+ +-\d+ dBFS")
        screen = one.wait_for(r"CLEAN  for [1-9](.|\n)*level +█*·+ +-\d+ dBFS +(voice|no voice)(.|\n)*Ctrl-C")
        assert re.search(r"SNR +(\d+|-) dB", screen)
        assert re.search(r"\d+%", screen)
        assert "30 s" in screen
        assert "8 kHz" in screen
        assert f"demo · {DEFAULT} · hop 0.1 s" in screen
        assert re.search(r"drops 0 · late \d+\.\d\d s · reference -\d+ dBFS (heard|assumed)", screen)
        assert one.screen.display[0].strip().startswith("noisewatch")  # nothing has scrolled away
        assert one.end(CTRL_C) == 130
        assert one.restored
        raw = one.raw.decode(errors="replace")  # Ctrl-C discards what the terminal has not sent yet
        assert re.search(r"heard \d+ s, 0% of it noisy, 0 noises, 0 drops", raw)


def test_a_smaller_window_drops_the_spectrogram_first(terminal):
    one = terminal(120, 40, "listen", "demo")
    one.wait_for("CLEAN(.|\n)*8 kHz")
    one.resize(60, 12)
    one.process.send_signal(signal.SIGWINCH)
    screen = one.wait_for(r"\A(?!(.|\n)*8 kHz)(.|\n)*noisewatch(.|\n)*CLEAN")
    assert max(len(line.rstrip()) for line in screen.splitlines()) <= 60


def test_a_signal_leaves_the_terminal_as_it_was(terminal):
    signals = {signal.SIGTERM: 143, signal.SIGHUP: 129}
    for one, (number, code) in [(terminal(80, 24, "listen", "demo"), item) for item in signals.items()]:
        one.wait_for("CLEAN|WARMING")
        assert one.end(number) == code
        assert one.restored


def test_ctrl_z_and_fg(terminal):
    """In a shell with job control. Stopped for longer than the clip is late, it goes on where it was."""
    shell = terminal(90, 24, program=["bash", "--norc", "-i"], env={"PS1": "ready> "})
    shell.wait_for("ready> ")
    shell.type(f"{sys.executable} -m noisewatch listen demo\n")
    for number in (1, 2):
        shell.wait_for("CLEAN  for [1-9]")
        shell.type("\x1a")
        shell.wait_until(lambda number=number: shell.raw.count(b"Stopped") == number)
        assert shell.left
        drawn = len(shell.raw)
        shell.read(1)
        assert len(shell.raw) < drawn + 200  # a prompt, but no meter
        shell.type("fg\n")
        shell.wait_until(lambda: not shell.left)
    shell.wait_for("CLEAN  for [1-9]")
    shell.type("\x03")
    shell.wait_for(r"heard \d+ s(.|\n)*ready> ")
    assert shell.left
    shell.type("echo code $?\n")
    shell.wait_for("code 130")
    assert b"Traceback" not in shell.raw


def test_an_error_leaves_the_terminal_as_it_was(terminal):
    one = terminal(80, 24, "listen", "missing.wav")
    assert one.exit_code() == 6
    assert one.restored
    assert "no file at missing.wav" in one.raw.decode()


def test_the_meter_is_drawn_at_least_five_times_a_second(terminal):
    one = terminal(80, 24, "listen", "demo")
    one.wait_for("CLEAN")
    before = one.raw.count(b"noisewatch")
    began = time.monotonic()
    one.read(3)
    frames = one.raw.count(b"noisewatch") - before
    assert frames / (time.monotonic() - began) >= 4.5  # five, less the edges of the interval


def test_no_colour_and_ascii(terminal):
    plain = terminal(80, 24, "listen", "demo", env={"NO_COLOR": "1"})
    ascii_only = terminal(80, 24, "listen", "demo", env={"PYTHONIOENCODING": "ascii"})
    c_locale = terminal(80, 24, "listen", "demo", env={"LANG": "C"})
    plain.wait_for("CLEAN")
    assert not re.findall(rb"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7])[0-9;]*m", plain.raw)
    assert "▒" in plain.text
    for one in (ascii_only, c_locale):
        screen = one.wait_for("CLEAN")
        assert "###" in screen
        assert screen.isascii()


def test_the_name_of_a_recording_cannot_control_the_terminal(terminal, tmp_path: Path):
    name = tmp_path / "a\x1b[2J\nb [bold]日本.flac"
    shutil.copy(DEMO, name)
    one = terminal(80, 24, "listen", str(name))
    one.wait_for("CLEAN")
    assert "a?[2J?b [bold]日" in one.text.replace("日 ", "日")
    assert one.end(CTRL_C) == 130


def test_a_pipe_that_pauses(terminal, tmp_path: Path):
    """The meter shows `unknown`, and `check` judges what has arrived."""
    voice, rate = sf.read(DEMO, frames=16_000 * 4)
    sf.write(tmp_path / "a.wav", voice, rate)
    watched, checked = tmp_path / "watched", tmp_path / "checked"
    os.mkfifo(watched)
    os.mkfifo(checked)
    meter = terminal(100, 24, "listen", str(watched))
    check = terminal(100, 24, "check", "--seconds", "6", str(checked))
    with watched.open("wb") as first, checked.open("wb") as second:
        for pipe in (first, second):
            pipe.write((tmp_path / "a.wav").read_bytes())
            pipe.flush()
        check.wait_for(r"level .* -\d+ dBFS +2 s left +Speak as you will in the recording\. +checked")
        meter.wait_for("UNKNOWN  for 3 s")
        assert "The input has stalled" in meter.text
        check.wait_for("OK: 0% of 4 s is noisy")
        assert "left" not in check.text
        assert check.process.wait(10) == 0
        assert meter.end(CTRL_C) == 130


def test_the_meter_shows_maybe(terminal, tmp_path: Path):
    samples, rate = sf.read(DEMO)
    sf.write(tmp_path / "a.wav", samples[7 * rate :], rate)  # noise fades in shortly after the first reading
    one = terminal(80, 24, "listen", str(tmp_path / "a.wav"), "--threshold", "0.99")
    screen = one.wait_for("MAYBE")
    assert "There may be noise" in screen
    assert one.end(CTRL_C) == 130
