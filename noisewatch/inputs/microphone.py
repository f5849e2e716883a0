"""A live input through PortAudio. Everything that knows sounddevice is here."""

from __future__ import annotations

import contextlib
import functools
import queue
import re
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from ..audio.signal import Samples
from ..errors import ChannelError, DeviceError, UsageError, printable
from ..system.native_stderr import quiet_stderr
from ..system.patience import patiently
from .source import TICK_S, Lost

LATENCY_S = 0.1  # asked of PortAudio; with blocks of 50 ms it runs steadily even over PulseAudio
BLOCK_S = 0.05
QUEUE_S = 10.0  # what waits before blocks are dropped
OPEN_S = 3.0  # for PortAudio to answer; some devices take two to start
CLOSE_S = 2.0
GAP_S = 0.3  # more than this missing ...
WITHIN_S = 5.0  # ... from this much audio is a gap; the drift of a card's clock never comes near
SETTLE_S = 0.5  # blocks whose delay has not fallen for so long will not catch up: what lay before them is lost
FALLS_S = 0.02  # less than this is jitter

T = TypeVar("T")


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
    """The inputs of this machine. Raises DeviceError when PortAudio is missing, does not answer or sees none."""
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
    """An open input: one channel, at the device's own rate. The callback only copies into a queue.

    `close` it in the end, after what there is to say was said: a sound server that hangs is waited for.
    """

    live = True
    pauses = False
    notes: tuple[str, ...] = ()

    def __init__(self, word: str | None = None, *, channel: int = 1) -> None:
        """Open and start. Raises DeviceError with what to do about it."""
        self.device = find_device(word)
        if channel > self.device.channels:
            raise ChannelError(
                f"{printable(self.device.name)} has {self.device.channels} channel(s), no channel {channel}."
            )
        self.name = self.device.name
        self.sample_rate = self.device.sample_rate
        self.overflows = 0  # times PortAudio said that samples were lost before they reached us
        self.dropped = 0  # blocks lost because the queue was full
        self.gaps = 0  # times the clock said so, and nobody else
        self.late_s = 0.0
        self._channel = channel
        self._queue: queue.Queue[tuple[float, Samples]] = queue.Queue(round(QUEUE_S / BLOCK_S))
        self._quiet = contextlib.ExitStack()
        sd = _portaudio()
        try:
            self._stream = _answered(self._open, OPEN_S)
        except (sd.PortAudioError, OSError, ValueError) as error:
            raise DeviceError(
                f"cannot open {printable(self.device.name)} (device {self.device.index}) at {self.sample_rate} Hz: "
                f"{_portaudio_reason(error)}. Another program may hold it, or this terminal lacks the permission "
                "to use the microphone (system settings; on Linux the group `audio`). Others: noisewatch devices"
            ) from error
        self._quiet.enter_context(quiet_stderr())  # PortAudio's own thread complains when a device goes away

    @property
    def drops(self) -> int:
        """How often audio was lost, on either side of the queue."""
        return self.overflows + self.dropped + self.gaps

    def blocks(self) -> Generator[Samples | Lost | None, None, None]:
        arrivals = Arrivals(self.sample_rate)
        told = 0  # losses that PortAudio or the queue counted, and that may show as a gap later
        while True:
            try:
                arrivals.add(*self._queue.get(timeout=TICK_S))
                with contextlib.suppress(queue.Empty):
                    while True:
                        arrivals.add(*self._queue.get_nowait())
            except queue.Empty:
                if not self._stream.active:
                    raise DeviceError(
                        f"the input {printable(self.name)} is gone: unplugged, or its driver failed. "
                        "What there is: noisewatch devices"
                    ) from None
            blocks, lost_s, late_s = arrivals.take(time.monotonic())
            if lost_s:
                self.gaps += self.overflows + self.dropped == told
                told = self.overflows + self.dropped
                yield Lost(lost_s)
            if blocks:
                self.late_s = late_s
                yield np.concatenate(blocks)
            elif not arrivals.waiting:
                yield None

    def close(self) -> None:
        """Stop and close the device, or leave it if the sound server does not answer."""

        def close() -> None:
            self._stream.abort()
            self._stream.close()

        with contextlib.suppress(TimeoutError), self._quiet:
            patiently(close, CLOSE_S)

    def _open(self) -> Any:
        stream = _portaudio().InputStream(
            device=self.device.index,
            # Asked for one channel, a sound server mixes all of them, and for an odd number it lacks a layout.
            channels=min(self.device.channels, max(2, self._channel + self._channel % 2)),
            samplerate=self.sample_rate,
            blocksize=round(BLOCK_S * self.sample_rate),
            latency=LATENCY_S,
            dtype="float32",
            callback=self._copy,
        )
        stream.start()
        return stream

    def _copy(self, data: Samples, frames: int, when: Any, status: Any) -> None:
        if status.input_overflow:
            self.overflows += 1
        try:
            self._queue.put_nowait((time.monotonic(), data[:, self._channel - 1].copy()))
        except queue.Full:
            self.dropped += 1


@dataclass(frozen=True)
class _Block:
    """What arrived."""

    arrived: float  # s, monotonic
    end_s: float  # of the audio that arrived, this block included
    samples: Samples

    @property
    def delay(self) -> float:
        """Against the sample count, from an arbitrary zero."""
        return self.arrived - self.end_s


class Arrivals:
    """Blocks beside the clock: how late they are, and how much audio never came.

    Their delay against the sample count rises when something holds them up, and falls again when they come after
    all. Where it stays up, samples are missing.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._end_s = 0.0
        # Delays of what was handed on in the last 5 s of audio, with its end: those below all later ones. The first
        # is the lowest.
        self._lows: deque[tuple[float, float]] = deque()
        self._ready: list[_Block] = []
        self._held: list[_Block] = []  # late: it is not clear yet whether something is missing before them
        self._lowest = (0.0, 0.0)  # delay of those held, and when it last fell

    @property
    def waiting(self) -> bool:
        """Whether blocks are held back."""
        return bool(self._held)

    def add(self, arrived: float, samples: Samples) -> None:
        """Take samples that arrived at this time (s, monotonic)."""
        self._end_s += len(samples) / self._rate
        block = _Block(arrived, self._end_s, samples)
        if not self._held or block.delay < self._lowest[0] - FALLS_S:
            self._lowest = block.delay, arrived
        self._held.append(block)
        if block.delay - self._usual(block.delay) <= GAP_S:
            self._release()

    def take(self, now: float) -> tuple[list[Samples], float, float]:
        """Samples to hand on, the seconds that are missing before them, and how late the first of them is (s)."""
        lost_s = 0.0
        if self._held and not self._ready:
            settled = now - self._lowest[1] >= SETTLE_S or now - self._held[0].arrived >= 4 * SETTLE_S
            if settled:
                delay = min(block.delay for block in self._held)
                lost_s = delay - self._usual(delay)
                self._lows.clear()
                self._release()
        ready, self._ready = self._ready, []
        late_s = 0.0
        if ready:
            late_s = now - ready[0].arrived + max(0.0, ready[0].delay - self._usual(ready[0].delay))
        return [block.samples for block in ready], lost_s, late_s

    def _usual(self, otherwise: float) -> float:
        """The delay when nothing holds blocks up."""
        return self._lows[0][1] if self._lows else otherwise

    def _release(self) -> None:
        self._ready += self._held
        for block in self._held:
            while self._lows and self._lows[-1][1] >= block.delay:
                self._lows.pop()
            self._lows.append((block.end_s, block.delay))
        self._held = []
        while self._lows[0][0] < self._end_s - WITHIN_S:
            self._lows.popleft()


def _answered(call: Callable[[], T], seconds: float) -> T:
    """What PortAudio says. Raises DeviceError when it says nothing."""
    try:
        with quiet_stderr():
            return patiently(call, seconds)
    except TimeoutError:
        raise DeviceError(
            f"the sound system does not answer: {seconds:g} s went by. Restart its server (`systemctl --user "
            "restart pipewire` or `pulseaudio -k` on Linux), or plug the device in again. Recordings, pipes and "
            "`noisewatch listen demo` work without it."
        ) from None


def _listed(devices: list[Device]) -> str:
    return "\n".join(f"  {d.index:3}  {printable(d.name)} ({printable(d.api)})" for d in devices)


@functools.cache
def _portaudio() -> ModuleType:
    def load() -> ModuleType:  # which asks the sound server for its devices
        import sounddevice

        return sounddevice  # type: ignore[no-any-return]

    try:
        return _answered(load, OPEN_S)
    except OSError as error:
        raise DeviceError(
            "the PortAudio library is missing, so no microphone can be opened. Install it: `apt install "
            "libportaudio2` (Debian, Ubuntu), `dnf install portaudio` (Fedora), `brew install portaudio` (macOS). "
            "Recordings, pipes and `noisewatch listen demo` work without it."
        ) from error
    except Exception as error:
        if type(error).__name__ != "PortAudioError":  # which cannot be imported: that is what failed
            raise
        raise DeviceError(
            f"PortAudio does not start: {_portaudio_reason(error)}. Recordings, pipes and `noisewatch listen demo` "
            "work without it."
        ) from error


def _portaudio_reason(error: Exception) -> str:
    text = str(error.args[0]) if error.args else str(error)
    return text.rpartition(":")[2].strip(" .") or text
