"""Looks for devices from a process of its own: `python -m noisewatch.inputs.lookout`.

PortAudio lists the devices when it starts. To start it anew closes all streams, hangs for as long as the sound
server does, and leaks 12 kB where ALSA has a plugin that loads FFmpeg. A process of its own can be killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from typing import ClassVar

from ..errors import DeviceError
from .devices import Device, list_devices
from .portaudio import refresh

LOOK_S = 3.0  # after which the process counts as hung
KILL_S = 0.5  # time that a process may take to end when it is killed


class Lookout:
    """A process that lists the devices whenever it is asked. All lookouts of a program share one."""

    _lock = threading.Lock()
    _users: ClassVar[set[Lookout]] = set()
    _process: ClassVar[subprocess.Popen[str] | None] = None
    _answer: ClassVar[Future[list[Device]] | None] = None  # the latest

    def look(self) -> Future[list[Device]]:
        """Ask for the devices, as they are now. The result is DeviceError if the process fails."""
        with self._lock:
            self._users.add(self)
            if Lookout._process is not None and Lookout._process.poll() is not None:
                self._end()  # it has ended by itself
            if Lookout._answer is not None and not Lookout._answer.done():
                return Lookout._answer
            answer = Lookout._answer = Future()
            try:
                if Lookout._process is None:
                    # -P: the folder that the user is in holds no modules of ours.
                    command, pipe = [sys.executable, "-P", "-m", __name__], subprocess.PIPE
                    Lookout._process = subprocess.Popen(
                        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True,
                        start_new_session=True,
                    )  # fmt: skip
            except OSError as error:
                answer.set_exception(DeviceError(f"the devices cannot be listed: {error}."))
            else:
                threading.Thread(target=_ask, args=(Lookout._process, answer), daemon=True).start()
            return answer

    def replace(self) -> None:
        """End the process, even one that hangs. The next call of `look` starts another."""
        with self._lock:
            self._end()

    def close(self) -> None:
        """No longer look. Ends the process, unless another lookout uses it."""
        with self._lock:
            self._users.discard(self)
            if not self._users:
                self._end()

    @staticmethod
    def _end() -> None:
        process, Lookout._process, Lookout._answer = Lookout._process, None, None
        if process is not None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):  # it may be stuck in the kernel
                process.wait(KILL_S)


def _ask(process: subprocess.Popen[str], answer: Future[list[Device]]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("\n")
        process.stdin.flush()
        answer.set_result([Device(**fields) for fields in json.loads(process.stdout.readline())])
    except (OSError, ValueError) as error:  # it was killed
        answer.set_exception(DeviceError(f"the devices cannot be listed: {error}."))


def main() -> None:
    """Print the devices as a line of JSON for each line on stdin."""
    first = True
    for _ in sys.stdin:
        devices = []
        with suppress(DeviceError):
            if not first:
                refresh()
            devices = list_devices()
        first = False
        print(json.dumps([asdict(device) for device in devices]), flush=True)


if __name__ == "__main__":
    main()
