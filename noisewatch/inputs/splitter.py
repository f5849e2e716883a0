"""One source that is read on a thread of its own and handed on as several: one for each of its channels."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..audio.signal import Samples
from .source import TICK_S, Gone, Lost, Source

PIECE_S = 0.1  # of a recording
AHEAD = 16  # blocks that may wait for the reader of a channel; the source waits then
CLOSE_S = 0.7  # time to close the source at the end


class Stopped(Exception):
    """The reader of a channel has been asked to stop."""


@dataclass(frozen=True)
class _Delivery:
    """What the source yielded, and what it said of it at that time."""

    block: Samples | Lost | Gone | BaseException | None  # an exception ends it
    sample_rate: int
    late_s: float
    read_at: float  # s, monotonic clock


class Splitter:
    """Reads a source, and gives each of its channels to a reader on another thread.

    parts  a source for each channel
    """

    def __init__(self, source: Source, channels: int) -> None:
        """source: yields blocks (n,) for one channel, (n, channels) for several. It is closed with this one."""
        self.source = source
        self.parts: Sequence[Part] = [Part(self, number if channels > 1 else None) for number in range(channels)]
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to read. Does nothing the second time."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End all parts: their `blocks` raise Stopped."""
        self._stopped = True
        for part in self.parts:
            part.end(Stopped())

    def close(self, seconds: float = CLOSE_S) -> None:
        """Stop, have the source closed, and wait up to this long for it, s."""
        self.stop()
        with self._lock:
            if self._thread is None:  # nothing was read
                self._thread = threading.Thread(target=self.source.close, daemon=True)
                self._thread.start()
        self._thread.join(seconds)

    def _read(self) -> None:
        try:
            try:
                with contextlib.closing(self.source.blocks()) as blocks:
                    for block in blocks:
                        read = [self._deliver(part, block) for part in self.parts]
                        if self._stopped or not any(read):
                            break
            except BaseException as error:  # `blocks` of each part raises it in the reader's thread
                for part in self.parts:
                    self._deliver(part, error)
            else:
                for part in self.parts:
                    self._deliver(part, StopIteration())
        finally:
            self.source.close()

    def _deliver(self, part: Part, block: Samples | Lost | Gone | BaseException | None) -> bool:
        """Hand something to a part, once it has room. Returns whether the part is still being read."""
        if part.column is not None and isinstance(block, np.ndarray):
            block = np.ascontiguousarray(block[:, part.column])
        source = self.source
        return part.put(_Delivery(block, source.sample_rate, source.late_s, time.monotonic()))


class Part:
    """One channel of a source."""

    def __init__(self, splitter: Splitter, column: int | None) -> None:
        """column: of the blocks; None if they have only one channel."""
        self.column = column
        self.live, self.pauses = splitter.source.live, splitter.source.pauses
        self.sample_rate = splitter.source.sample_rate
        self.late_s = 0.0
        self._splitter = splitter
        self._waiting: queue.Queue[_Delivery] = queue.Queue(AHEAD)
        self._ended: BaseException | None = None

    @property
    def name(self) -> str:
        """Name of the device or recording."""
        return self._splitter.source.name

    @property
    def drops(self) -> int:
        """How many times the source lost audio."""
        return self._splitter.source.drops

    @property
    def notes(self) -> Sequence[str]:
        """Notes on the source."""
        return self._splitter.source.notes

    def blocks(self) -> Generator[Samples | Lost | Gone | None, None, None]:
        """Yield the blocks (n,) of this channel, and the signs of the source. Raises Stopped once it is stopped."""
        self._splitter.start()
        try:
            while True:
                got = self._waiting.get()
                if self._ended is not None:
                    raise self._ended
                if isinstance(got.block, StopIteration):
                    return
                if isinstance(got.block, BaseException):
                    raise got.block
                self.sample_rate = got.sample_rate
                self.late_s = got.late_s + time.monotonic() - got.read_at if self.live else 0.0
                yield from self._pieces(got.block)
        finally:
            self.end(Stopped())

    def _pieces(self, block: Samples | Lost | Gone | None) -> Iterator[Samples | Lost | Gone | None]:
        """A block of a recording in pieces, so that its reader can be stopped soon. Raises Stopped."""
        if self.live or not isinstance(block, np.ndarray):
            yield block
            return
        size = max(1, round(PIECE_S * self.sample_rate))
        for start in range(0, len(block), size):
            if self._ended is not None:
                raise self._ended
            yield block[start : start + size]

    def put(self, delivery: _Delivery) -> bool:
        """Queue a delivery, once there is room. Returns whether it will be read."""
        while self._ended is None:
            with contextlib.suppress(queue.Full):
                self._waiting.put(delivery, timeout=TICK_S)
                return True
        return False

    def end(self, why: BaseException) -> None:
        """No longer read. Wakes `blocks`, which raises this."""
        if self._ended is None:
            self._ended = why
            with contextlib.suppress(queue.Full):  # it is awake
                self._waiting.put_nowait(_Delivery(None, self.sample_rate, 0.0, 0.0))

    def close(self) -> None:
        """Does nothing: the splitter closes the source."""
