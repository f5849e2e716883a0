"""`noisewatch` in a pseudo-terminal, its output read back by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence

import pyte

NOISEWATCH = (sys.executable, "-m", "noisewatch")


class Terminal:
    """A running command, and the screen that it draws."""

    def __init__(
        self,
        columns: int,
        rows: int,
        *args: str,
        env: dict[str, str] | None = None,
        program: Sequence[str] = NOISEWATCH,
    ) -> None:
        self.master, slave = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [*program, *args], stdin=slave, stdout=slave, stderr=slave, cwd="/tmp",
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # the controlling terminal, for Ctrl-C
        )  # fmt: skip

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds: float) -> None:
        """Feed the emulator for this long."""
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

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """Read until the screen matches; returns its text."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            if re.search(pattern, self.text):
                return self.text
        raise AssertionError(f"{pattern!r} did not appear; the screen is:\n{self.text}")

    def wait_until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Read until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it did not hold; the screen is:\n{self.text}"
            self.read(0.1)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    @property
    def left(self) -> bool:
        """Whether the cursor is visible and the main screen active."""
        cursor = self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l")
        main = self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")
        return cursor and main

    @property
    def restored(self) -> bool:
        """Whether the meter has left, and echo and line mode are as before."""
        return self.left and termios.tcgetattr(self.slave) == self.before

    def end(self, how: int | bytes) -> int:
        """Send a signal or a key; returns the exit code."""
        if isinstance(how, bytes):
            os.write(self.master, how)
        else:
            self.process.send_signal(how)
        return self.exit_code()

    def exit_code(self) -> int:
        """Read until the command has ended; returns its exit code."""
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
