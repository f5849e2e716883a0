"""A live input through PortAudio. Everything that knows sounddevice is here."""

from __future__ import annotations

import contextlib
import queue
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DeviceError, UsageError
from .quiet import quiet_stderr

LATENCY_S = 0.1  # asked of PortAudio; with blocks of 50 ms it runs steadily even over PulseAudio
BLOCK_S = 0.05
QUEUE_S = 10.0  # what waits before blocks are dropped

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Device:
    """An input as the system lists it."""

    index: int
    name: str
    api: str  # PortAudio host API: ALSA, Core Audio, WASAPI ...
    channels: int
    sample_rate: int  # its own
    default: bool


def list_devices() -> list[Device]:
    """The inputs of this machine. Raises DeviceError when PortAudio is missing or sees none."""
    sd = _portaudio()
    apis = sd.query_hostapis()
    try:
        default = sd.query_devices(kind="input")["index"]
    except (sd.PortAudioError, ValueError):
        default = None
    found = [
        Device(d["index"], d["name"], apis[d["hostapi"]]["name"], d["max_input_channels"],
               round(d["default_samplerate"]), d["index"] == default)
        for d in sd.query_devices() if d["max_input_channels"] > 0
    ]  # fmt: skip
    if not found:
        raise DeviceError(
            "no microphone: PortAudio lists no input device. Plug one in, or allow this terminal to use it "
            "in the system's settings. `noisewatch listen demo` works without one."
        )
    return found


def find_device(word: str | None) -> Device:
    """The default input, the one with this index, or the one whose name holds this part.

    Raises DeviceError when there is none, and UsageError when the part is in several names.
    """
    devices = list_devices()
    if word is None:
        chosen = [d for d in devices if d.default] or devices[:1]
        return chosen[0]
    if re.fullmatch(r"-?\d+", word):
        matching = [d for d in devices if d.index == int(word)]
        if not matching and any(d["index"] == int(word) for d in _portaudio().query_devices()):
            raise DeviceError(f"device {word} has no input channels. Inputs:\n{_listed(devices)}")
    else:
        exact = [d for d in devices if d.name.lower() == word.lower()]
        matching = exact or [d for d in devices if word.lower() in d.name.lower()]
    if not matching:
        raise DeviceError(f"no input is called {word!r}. Inputs:\n{_listed(devices)}")
    if len(matching) > 1:
        raise UsageError(f"{word!r} is part of several names; give more of it, or the index:\n{_listed(matching)}")
    return matching[0]


class Microphone:
    """An open input: one channel, at the device's own rate. The callback only copies into a queue."""

    live = True
    notes: tuple[str, ...] = ()

    def __init__(self, word: str | None = None, *, channel: int = 1) -> None:
        """Open and start. Raises DeviceError with what to do about it."""
        self.device = find_device(word)
        if channel > self.device.channels:
            raise UsageError(f"{self.device.name} has {self.device.channels} channel(s), no channel {channel}.")
        self.name = self.device.name
        self.sample_rate = self.device.sample_rate
        self.overflows = 0  # times PortAudio said that samples were lost before they reached us
        self.dropped = 0  # blocks lost because the queue was full
        self.late_s = 0.0
        self._queue: queue.Queue[tuple[float, Samples]] = queue.Queue(round(QUEUE_S / BLOCK_S))
        sd = _portaudio()
        try:
            with quiet_stderr():
                self._stream = sd.InputStream(
                    device=self.device.index,
                    channels=channel,
                    samplerate=self.sample_rate,
                    blocksize=round(BLOCK_S * self.sample_rate),
                    latency=LATENCY_S,
                    dtype="float32",
                    callback=self._copy,
                )
                self._stream.start()
        except (sd.PortAudioError, OSError, ValueError) as error:
            raise DeviceError(
                f"cannot open {self.device.name} (device {self.device.index}) at {self.sample_rate} Hz: "
                f"{_portaudio_reason(error)}. Another program may hold it, or this terminal lacks the permission "
                "to use the microphone (system settings; on Linux the group `audio`). Others: noisewatch devices"
            ) from error

    @property
    def drops(self) -> int:
        """How often audio was lost, on either side of the queue."""
        return self.overflows + self.dropped

    def blocks(self) -> Generator[Samples | None, None, None]:
        try:
            while True:
                try:
                    stamp, block = self._queue.get(timeout=1.0)
                except queue.Empty:
                    if not self._stream.active:
                        raise DeviceError(
                            f"the input {self.name!r} is gone: unplugged, or its driver failed. "
                            "What there is: noisewatch devices"
                        ) from None
                    yield None
                    continue
                self.late_s = time.monotonic() - stamp
                blocks = [block]
                with contextlib.suppress(queue.Empty):
                    while True:
                        blocks.append(self._queue.get_nowait()[1])
                yield np.concatenate(blocks)
        finally:
            with quiet_stderr():
                self._stream.abort()
                self._stream.close()

    def _copy(self, data: Samples, frames: int, when: Any, status: Any) -> None:
        if status.input_overflow:
            self.overflows += 1
        try:
            self._queue.put_nowait((time.monotonic(), data[:, -1].copy()))
        except queue.Full:
            self.dropped += 1


def _listed(devices: list[Device]) -> str:
    return "\n".join(f"  {d.index:3}  {d.name} ({d.api})" for d in devices)


def _portaudio() -> ModuleType:
    try:
        with quiet_stderr():
            import sounddevice
    except OSError as error:
        raise DeviceError(
            "the PortAudio library is missing, so no microphone can be opened. Install it: `apt install "
            "libportaudio2` (Debian, Ubuntu), `dnf install portaudio` (Fedora), `brew install portaudio` (macOS). "
            "Recordings, pipes and `noisewatch listen demo` work without it."
        ) from error
    return sounddevice  # type: ignore[no-any-return]


def _portaudio_reason(error: Exception) -> str:
    text = str(error.args[0]) if error.args else str(error)
    return text.rpartition(":")[2].strip(" .") or text
