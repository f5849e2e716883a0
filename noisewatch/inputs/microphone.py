"""A live input device as a source of audio, through PortAudio."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Generator
from typing import Any

import numpy as np

from ..audio.signal import Samples
from ..errors import ChannelError, DeviceError, printable
from ..system.native_stderr import quiet_stderr
from .devices import Device
from .gaps import Arrivals
from .portaudio import call_portaudio, error_text, portaudio, submit
from .source import TICK_S, Lost, count_channels

LATENCY_S = 0.1  # requested from PortAudio; with blocks of 50 ms it runs steadily even over PulseAudio
BLOCK_S = 0.05
QUEUE_S = 10.0  # audio that may wait in the queue before blocks are dropped
CLOSE_S = 0.5  # time limit for closing the device at the end


class Microphone:
    """An open input device: one channel at its native rate. The callback only copies into a bounded queue.

    Call `close` last, after all output is written: it waits up to `CLOSE_S` for a sound server that hangs.

    heard_until  when the last sample that `blocks` has yielded arrived; before that, when the device was opened (s,
                 monotonic clock)
    """

    live = True
    pauses = False
    notes: tuple[str, ...] = ()

    def __init__(self, device: Device, *, channel: int = 1) -> None:
        """Open and start a device. channel: counted from 1.

        Raises DeviceError if it cannot be opened, and ChannelError.
        """
        if channel > device.channels:
            raise ChannelError(
                f"{printable(device.name)} has {count_channels(device.channels)}, so there is no channel {channel}."
            )
        self.device = device
        self.name = self.device.name
        self.sample_rate = self.device.sample_rate
        self.overflows = 0  # times PortAudio reported lost samples
        self.dropped = 0  # blocks lost because the queue was full
        self.gaps = 0  # losses that show only in arrival times
        self.late_s = 0.0
        self.channel = channel
        # For one channel, a sound server would mix all of them; for an odd number, it has no channel layout.
        self.opened_channels = min(device.channels, max(2, channel + channel % 2))
        self._queue: queue.Queue[tuple[float, Samples]] = queue.Queue(round(QUEUE_S / BLOCK_S))
        self._released = False
        self._quiet = contextlib.ExitStack()
        sd = portaudio()
        try:
            self._stream = call_portaudio(self._open, undo=lambda stream: stream.close())
        except (sd.PortAudioError, OSError, ValueError) as error:
            raise DeviceError(
                f"cannot open {printable(self.device.name)} (device {self.device.index}) at {self.sample_rate} Hz: "
                f"{error_text(error)}. Another program may be using it, or this terminal lacks permission to use "
                "the microphone (system settings; on Linux the group `audio`). List "
                "other inputs: noisewatch devices"
            ) from error
        self._quiet.enter_context(quiet_stderr())  # a thread of PortAudio prints if a device disappears
        self.heard_until = time.monotonic()

    @property
    def drops(self) -> int:
        """How many times audio was lost, on either side of the queue."""
        return self.overflows + self.dropped + self.gaps

    def blocks(self) -> Generator[Samples | Lost | None, None, None]:
        """Yield float32 blocks (n,), Lost before the first block after a gap, None for each `TICK_S` without audio.

        Raises DeviceError if the device disappears.
        """
        arrivals = Arrivals(self.sample_rate)
        reported = 0  # losses counted by PortAudio or the queue, which may show up as a gap later
        while True:
            try:
                arrivals.add(*self._queue.get(timeout=TICK_S))
                with contextlib.suppress(queue.Empty):
                    while True:
                        arrivals.add(*self._queue.get_nowait())
            except queue.Empty:
                if not self._active:
                    raise DeviceError(
                        f"the input {printable(self.name)} is gone: unplugged, or its driver failed. "
                        "List other inputs: noisewatch devices"
                    ) from None
            blocks, lost_s, late_s = arrivals.take(time.monotonic())
            if lost_s:
                self.gaps += self.overflows + self.dropped == reported
                reported = self.overflows + self.dropped
                yield Lost(lost_s)
            if blocks:
                self.late_s = late_s
                late_s -= sum(map(len, blocks[1:])) / self.sample_rate
                self.heard_until = time.monotonic() - late_s
                yield np.concatenate(blocks)
            elif not arrivals.waiting:
                yield None

    @property
    def _active(self) -> bool:
        try:
            return bool(self._stream.active)
        except portaudio().PortAudioError:  # PortAudio was started anew for another microphone
            return False

    def close(self) -> None:
        """Stop and close the device; wait up to `CLOSE_S` for it."""
        self.release(CLOSE_S)

    def release(self, seconds: float) -> None:
        """Have the device closed, and wait up to this long (s) for it. Does nothing the second time."""
        if self._released:
            return
        self._released = True

        def close() -> None:
            self._stream.abort()
            self._stream.close()

        with self._quiet:
            closing = submit(close)
        with contextlib.suppress(TimeoutError):
            closing.result(seconds)

    def _open(self) -> Any:
        stream = portaudio().InputStream(
            device=self.device.index,
            channels=self.opened_channels,
            samplerate=self.sample_rate,
            blocksize=round(BLOCK_S * self.sample_rate),
            latency=LATENCY_S,
            dtype="float32",
            callback=self._copy,
        )
        try:
            stream.start()
        except BaseException:
            stream.close()
            raise
        return stream

    def _copy(self, data: Samples, frames: int, when: Any, status: Any) -> None:
        if status.input_overflow:
            self.overflows += 1
        try:
            self._queue.put_nowait((time.monotonic(), data[:, self.channel - 1].copy()))
        except queue.Full:
            self.dropped += 1
