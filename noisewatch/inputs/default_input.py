"""Watches which device is the system's default input.

PortAudio lists the devices when it starts, and starting it anew closes the streams that are open. So a process of
its own is asked: `python -m noisewatch.inputs.default_input`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict

from ..errors import NoisewatchError
from .devices import Device, find_device
from .portaudio import OPEN_S

EVERY_S = 5.0  # between two looks; each takes a fifth of a second of CPU


class DefaultInput:
    """Knows the default input, as of a few seconds ago."""

    def __init__(self) -> None:
        self._device: Device | None = None  # None until it has been asked for
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def differs(self, device: Device) -> bool:
        """Whether another device is the default."""
        newest = self._device
        return newest is not None and (newest.name, newest.api) != (device.name, device.api)

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(EVERY_S):
            with suppress(
                OSError, subprocess.SubprocessError, ValueError
            ):  # no input, or a sound system that hangs
                self._device = _ask()


def _ask() -> Device:
    """The default input, according to a new process."""
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=OPEN_S, check=True)
    return Device(**json.loads(done.stdout))


def main() -> None:
    """Print the default input as JSON; exit with 1 if there is none."""
    try:
        print(json.dumps(asdict(find_device(None))))
    except NoisewatchError as error:
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
