"""One PortAudio stream of a device. Its callback only copies into a bounded queue."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import Any

import numpy as np

from ..audio.signal import Samples
from ..errors import ChannelError, DeviceError, printable
from ..system.native_stderr import quiet_stderr
from .devices import Device
from .portaudio import error_text, portaudio
from .source import Channel, count_channels

LATENCY_S = 0.1  # requested from PortAudio; with blocks of 50 ms it runs steadily even over PulseAudio
BLOCK_S = 0.05
QUEUE_S = 10.0  # audio that may wait in the queue before blocks are dropped


class Capture:
    """A running stream: the chosen channels at the native rate.

    Opened and closed on the PortAudio thread; everything else may be used from any thread.

    queue      when each block arrived (s, monotonic clock), and the block: (n,), or (n, channels) for several; None
               once it is closed
    overflows  times PortAudio reported lost samples
    dropped    blocks lost because the queue was full
    """

    def __init__(self, device: Device, channel: Channel) -> None:
        """Open and start a device. Raises DeviceError if it cannot be opened, and ChannelError."""
        highest = int(np.max(channel))
        if highest > device.channels:
            raise ChannelError(
                f"{printable(device.name)} has {count_channels(device.channels)}, so there is no channel {highest}."
            )
        self.device = device
        self.overflows = self.dropped = 0
        self.queue: queue.Queue[tuple[float, Samples] | None] = queue.Queue(round(QUEUE_S / BLOCK_S))
        # For one channel, a sound server would mix all of them; for an odd number, it has no channel layout.
        self.opened_channels = min(device.channels, max(2, highest + highest % 2))
        self.opened_at = time.monotonic()
        self.closed = False
        self._columns = np.subtract(channel, 1)
        self._closing = threading.Lock()
        sd = portaudio()
        try:
            self._stream = self._started()
        except (sd.PortAudioError, OSError, ValueError) as error:
            raise DeviceError(
                f"cannot open {printable(device.name)} (device {device.index}) at {device.sample_rate} Hz: "
                f"{error_text(error)}. Another program may be using it, or this terminal lacks permission to use "
                "the microphone (system settings; on Linux the group `audio`). List "
                "other inputs: noisewatch devices"
            ) from error
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(quiet_stderr())  # a thread of PortAudio prints if a device disappears

    @property
    def active(self) -> bool:
        """Whether it still delivers: neither closed, nor has the device disappeared."""
        with self._closing:  # a stream that is closed must not be asked
            return not self.closed and bool(self._stream.active)

    @property
    def losses(self) -> int:
        """How many times audio was lost, on either side of the queue."""
        return self.overflows + self.dropped

    def discard(self) -> None:
        """Forget what waits in the queue, and the losses so far."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.queue.get_nowait()
        self.overflows = self.dropped = 0

    def close(self) -> None:
        """Stop. Does nothing the second time."""
        with self._closing:
            if self.closed:
                return
            self.closed = True
        with contextlib.suppress(queue.Full):  # its reader is awake
            self.queue.put_nowait(None)
        with self._quiet, contextlib.suppress(portaudio().PortAudioError):  # it is gone anyway
            try:
                self._stream.abort()
            finally:
                self._stream.close()

    def _started(self) -> Any:
        stream = portaudio().InputStream(
            device=self.device.index,
            channels=self.opened_channels,
            samplerate=self.device.sample_rate,
            blocksize=round(BLOCK_S * self.device.sample_rate),
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
            self.queue.put_nowait((time.monotonic(), data[:, self._columns].copy()))
        except queue.Full:
            self.dropped += 1
