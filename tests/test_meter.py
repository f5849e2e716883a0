"""The meter under a pseudo-terminal, its frames read back by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, get_args

import pyte
import pytest
import soundfile as sf
from conftest import DEMO

from noisewatch.core.events import Reading, Reason
from noisewatch.core.shipped import DEFAULT
from noisewatch.ui.wording import REASONS, advice, verdict


class Terminal:
    """`noisewatch` in a pseudo-terminal of a given size."""

    def __init__(self, columns: int, rows: int, *args: str, env: dict[str, str] | None = None) -> None:
        self.master, slave = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-m", "noisewatch", *args], stdin=slave, stdout=slave, stderr=slave, cwd="/tmp",
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
        )  # fmt: skip

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds: float) -> None:
        """Take what comes in this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, *_ = select.select([self.master], [], [], left)
            if ready:
                try:
                    data = os.read(self.master, 65536)
                except OSError:  # the other side is closed
                    return
                self.raw += data
                self.stream.feed(data)

    def wait_for(self, pattern: str, seconds: float = 20) -> str:
        """Read until the screen shows the pattern; returns the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            if re.search(pattern, self.text):
                return self.text
        raise AssertionError(f"{pattern!r} never showed; the screen is:\n{self.text}")

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def end(self, how: int | bytes) -> int:
        """A key or a signal; returns the exit code."""
        if isinstance(how, bytes):
            os.write(self.master, how)
        else:
            self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """Read until it ends by itself; returns the exit code."""
        end = time.monotonic() + 15
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        self.read(0.2)
        return self.process.wait(1)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminal():
    opened: list[Terminal] = []

    def open_one(*args: Any, **more: Any) -> Terminal:
        opened.append(Terminal(*args, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def restored(one: Terminal) -> bool:
    """Cursor shown, main screen back, echo and line mode as they were."""
    shown = one.raw.rfind(b"\x1b[?25h") > one.raw.rfind(b"\x1b[?25l")
    main = one.raw.rfind(b"\x1b[?1049l") > one.raw.rfind(b"\x1b[?1049h")
    return shown and main and termios.tcgetattr(one.slave) == one.before


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_the_meter_shows_what_it_promises_and_fits(terminal, columns: int, rows: int):
    one = terminal(columns, rows, "listen", "demo")
    one.wait_for(r"WARMING UP(.|\n)*level +█+·+ +-\d+ dBFS")
    screen = one.wait_for(r"CLEAN  for [1-9]")
    assert re.search(r"SNR +(\d+|-) dB", screen)
    assert re.search(r"\d+%", screen)
    assert re.search(r"level +█*·+ +-\d+ dBFS +(voice|no voice)", screen)
    assert "30 s" in screen
    assert "8 kHz" in screen
    assert f"demo · {DEFAULT} · hop 0.1 s" in screen
    assert re.search(r"drops 0 · late 0\.\d\d s · reference -\d+ dBFS (heard|assumed)", screen)
    assert one.screen.display[0].strip().startswith("noisewatch")  # nothing scrolled away
    assert one.end(b"\x03") == 130
    assert restored(one)
    assert re.search(r"heard \d+ s, 0% of it noisy, 0 noises, 0 drops", one.raw.decode())


def test_it_follows_a_resize(terminal):
    one = terminal(120, 40, "listen", "demo")
    one.wait_for("CLEAN")
    one.resize(60, 12)
    one.process.send_signal(signal.SIGWINCH)
    one.read(1.0)
    screen = one.text
    assert "CLEAN" in screen
    assert "noisewatch" in screen
    assert "8 kHz" not in screen  # the picture goes first
    assert max(len(line.rstrip()) for line in one.screen.display) <= 60
    one.end(b"\x03")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_kill_leaves_the_terminal_as_it_was(terminal, how: int, code: int):
    one = terminal(80, 24, "listen", "demo")
    one.wait_for("CLEAN|WARMING")
    assert one.end(how) == code
    assert restored(one)


def test_an_error_leaves_the_terminal_as_it_was(terminal):
    one = terminal(80, 24, "listen", "missing.wav")
    assert one.ended() == 6
    assert restored(one)
    assert "no file at missing.wav" in one.raw.decode()


def test_bar_and_numbers_are_redrawn_five_times_a_second(terminal):
    one = terminal(80, 24, "listen", "demo")
    one.wait_for("CLEAN")
    before = one.raw.count(b"noisewatch")
    began = time.monotonic()
    one.read(3)
    frames = one.raw.count(b"noisewatch") - before
    assert frames / (time.monotonic() - began) >= 4.5  # five, and the edges of the interval
    one.end(b"\x03")


def test_no_color_is_honoured(terminal):
    one = terminal(80, 24, "listen", "demo", env={"NO_COLOR": "1"})
    one.wait_for("CLEAN")
    colours = re.findall(rb"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7])[0-9;]*m", one.raw)
    assert not colours
    assert "▒" in one.text
    one.end(b"\x03")


def test_a_terminal_without_unicode_gets_ascii(terminal):
    one = terminal(80, 24, "listen", "demo", env={"PYTHONIOENCODING": "ascii"})
    screen = one.wait_for("CLEAN")
    assert "###" in screen
    assert screen.isascii()
    one.end(b"\x03")


def test_a_name_cannot_steer_the_terminal(terminal, tmp_path: Path):
    name = tmp_path / "a\x1b[2J\nb [bold]日本.flac"
    shutil.copy(DEMO, name)
    one = terminal(80, 24, "listen", str(name))
    one.wait_for("CLEAN")
    assert "a?[2J?b [bold]日" in one.text.replace("日 ", "日")
    assert one.end(b"\x03") == 130


def test_a_pipe_that_pauses_is_unknown_and_check_says_what_to_do(terminal, tmp_path: Path):
    voice, rate = sf.read(DEMO, frames=16_000 * 4)
    sf.write(tmp_path / "a.wav", voice, rate)
    shown = []
    for name, words in (("watched", ["listen"]), ("checked", ["check", "--seconds", "6"])):
        os.mkfifo(tmp_path / name)
        shown.append(terminal(100, 24, words[0], str(tmp_path / name), *words[1:]))
    with (tmp_path / "watched").open("wb") as watched, (tmp_path / "checked").open("wb") as checked:
        for pipe in (watched, checked):
            pipe.write((tmp_path / "a.wav").read_bytes())
            pipe.flush()
        meter, check = shown
        check.wait_for(r"level .* -\d+ dBFS +2 s left +Speak as you will in the recording\. +checked")
        meter.wait_for("UNKNOWN  for 3 s")
        assert "The input has stalled" in meter.text
        check.wait_for("OK: 0% of 4 s is noisy")
        assert "left" not in check.text
        assert check.process.wait(10) == 0
        assert meter.end(b"\x03") == 130


def reading(**fields: Any) -> Reading:
    plain = {"time": 3.0, "noise": 0.1, "snr_db": None, "voice": 0.1, "level_dbfs": -60.0, "state": "clean"}
    return Reading(**{**plain, **fields})


def test_every_situation_gets_its_own_sentence():
    situations = [
        reading(),
        reading(voice=0.9, snr_db=40),
        reading(voice=0.9, snr_db=11),
        reading(noise=0.8),
        reading(noise=0.8, voice=0.9, snr_db=30),
        reading(state="noisy", noise=0.1),
        reading(state="noisy", noise=0.9),
        *(reading(state="noisy", noise=0.9, voice=0.9, snr_db=snr) for snr in (18, 10, 0)),
        *(reading(state="unknown", noise=None, voice=None, reason=reason) for reason in get_args(Reason)),
    ]
    sentences = [advice(r, verdict(r, off=0.7)) for r in situations]
    assert len(set(sentences)) == len(sentences)
    assert set(REASONS) == set(get_args(Reason))
    for said, sentence in zip(situations, sentences, strict=True):
        if not said.voice or said.voice < 0.5:
            assert "your voice" not in sentence  # nobody speaks
        if said.snr_db is not None and said.snr_db < 20:
            assert "Nothing but" not in sentence


def test_maybe_lies_between_the_thresholds():
    words = [verdict(reading(noise=p), off=0.7) for p in (0.1, 0.69, 0.7, 0.89, 0.95)]
    assert words == ["clean", "clean", "maybe", "maybe", "maybe"]  # the last is not called yet
    assert verdict(reading(state="noisy", noise=0.8), off=0.7) == "noisy"  # called: held until it is over
    assert verdict(reading(state="unknown", noise=None), off=0.7) == "unknown"


def test_the_meter_says_maybe(terminal):
    one = terminal(80, 24, "listen", "demo", "--threshold", "0.99")
    screen = one.wait_for("MAYBE", 25)
    assert "There may be noise" in screen
    assert one.end(b"\x03") == 130
