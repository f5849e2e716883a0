"""A live input device as a source of audio, through PortAudio."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Generator

import numpy as np

from ..audio.signal import Samples
from ..errors import DeviceError, NoisewatchError, printable
from .capture import Capture
from .devices import Device, find_again, list_devices
from .gaps import Arrivals
from .portaudio import call_portaudio, keep, leave, submit
from .source import TICK_S, Channel, Lost

CLOSE_S = 0.5  # time limit for closing the device at the end


class Microphone:
    """An open input device at its native rate.

    To list the devices anew closes all streams of the process. A microphone is then opened again at once, and what
    is missing is a gap.

    Call `close` last, after all output is written: it waits up to `CLOSE_S` for a sound server that hangs.

    heard_until  when the last sample that `blocks` has yielded arrived; before that, when the device was opened (s,
                 monotonic clock)
    """

    live = True
    pauses = False
    notes: tuple[str, ...] = ()

    def __init__(self, device: Device, *, channel: Channel = 1) -> None:
        """Open and start a device. channel: counted from 1; several give blocks (n, channels).

        Raises DeviceError if it cannot be opened, and ChannelError.
        """
        self.name = device.name
        self.channel = channel
        self.gaps = 0  # losses that show only in arrival times, and interruptions
        self.late_s = 0.0
        self._losses = 0  # of earlier captures
        self._problem: NoisewatchError | None = None  # why it could not be opened again
        self._released = False

        def open_it() -> Capture:
            capture = Capture(device, channel)
            keep(self)
            return capture

        def undo(capture: Capture) -> None:
            leave(self)
            capture.close()

        self._capture = call_portaudio(open_it, undo)
        self.sample_rate = self.device.sample_rate
        self.heard_until = self._capture.opened_at

    @property
    def device(self) -> Device:
        """The device as it was listed when it was opened."""
        return self._capture.device

    @property
    def opened_channels(self) -> int:
        """How many channels the device was opened with."""
        return self._capture.opened_channels

    @property
    def drops(self) -> int:
        """How many times audio was lost, on either side of the queue."""
        return self._losses + self._capture.losses + self.gaps

    def discard(self) -> None:
        """Begin now: forget the audio that was captured since the device was opened."""
        self._capture.discard()
        self.heard_until = time.monotonic()

    def blocks(self) -> Generator[Samples | Lost | None, None, None]:
        """Yield float32 blocks, Lost before the first block after a gap, None for each `TICK_S` without audio.

        Raises DeviceError if the device disappears.
        """
        resumes_at: float | None = None  # where the audio before an interruption ended
        while True:
            capture = self._capture
            self.sample_rate = capture.device.sample_rate
            for block in self._captured(capture):
                if isinstance(block, np.ndarray) and resumes_at is not None:
                    yield self.missing(resumes_at, block)
                    resumes_at = None
                yield block
            if resumes_at is None:
                resumes_at = self.heard_until
                self.gaps += 1
            while self._capture is capture:  # until PortAudio has started anew
                if self._problem is not None or self._released:
                    raise self._problem or self._gone()
                time.sleep(TICK_S)
                yield None

    def missing(self, resumes_at: float, block: Samples) -> Lost:
        """What is missing between audio that ended at a time (s, monotonic clock) and the block just yielded."""
        begins_at = self.heard_until - len(block) / self.sample_rate
        return Lost(max(0.0, begins_at - resumes_at))

    def suspend(self) -> None:
        """PortAudio ends for a moment. Called on its thread."""
        self._capture.close()

    def resume(self) -> None:
        """PortAudio has started anew. Called on its thread."""
        before = self._capture
        try:
            self._capture = Capture(find_again(before.device, list_devices()), self.channel)
            self._losses += before.losses
        except NoisewatchError as error:  # `blocks` raises it in the reader's thread
            leave(self)
            self._problem = error

    def close(self) -> None:
        """Stop and close the device; wait up to `CLOSE_S` for it."""
        self.release(CLOSE_S)

    def release(self, seconds: float) -> None:
        """Have the device closed, and wait up to this long (s) for it. Does nothing the second time."""
        if self._released:
            return
        self._released = True

        def close() -> None:
            leave(self)
            self._capture.close()

        closing = submit(close)
        with contextlib.suppress(TimeoutError):
            closing.result(seconds)

    def _gone(self) -> DeviceError:
        return DeviceError(
            f"the input {printable(self.name)} is gone: unplugged, or its driver failed. "
            "List other inputs: noisewatch devices"
        )

    def _captured(self, capture: Capture) -> Generator[Samples | Lost | None, None, None]:
        """What a capture delivers until it is closed. Raises DeviceError if the device disappears."""
        arrivals = Arrivals(capture.device.sample_rate)
        reported = 0  # losses counted by PortAudio or the queue, which may show up as a gap later
        while True:
            closed = False
            try:
                item = capture.queue.get(timeout=TICK_S)
                while item is not None:
                    arrivals.add(*item)
                    item = capture.queue.get_nowait()
                closed = True
            except queue.Empty:
                closed = capture.closed
                if not closed and not capture.active:
                    raise self._gone() from None
            blocks, lost_s, late_s = arrivals.take(time.monotonic())
            if lost_s:
                self.gaps += capture.losses == reported
                reported = capture.losses
                yield Lost(lost_s)
            if blocks:
                self.late_s = late_s
                late_s -= sum(map(len, blocks[1:])) / capture.device.sample_rate
                self.heard_until = time.monotonic() - late_s
                yield np.concatenate(blocks)
            elif not arrivals.waiting and not closed:
                yield None
            if closed:
                return
