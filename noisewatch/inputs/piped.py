"""A pipe as a source of audio: stdin or a named pipe."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator

import numpy as np

from ..audio.signal import Samples
from ..decoding.decoders import open_pipe
from ..decoding.pipe import Pipe, cannot_read
from .recording import Recording
from .source import TICK_S

HEADER_S = 0.5  # how long the constructor waits for a header, to raise its errors at once
AHEAD = 16  # blocks read ahead


class Piped:
    """A recording that arrives through a pipe. It is read on its own thread, which alone waits for the writer."""

    live = False
    pauses = True
    drops = 0
    late_s = 0.0

    def __init__(
        self,
        name: str,
        place: int | str,
        *,
        channel: int | None = None,
        raw_rate: int | None = None,
    ) -> None:
        """Start reading `place`: a file descriptor, or the path of a named pipe, which opens once it has a writer.

        channel: counted from 1, None for the mean of all; raw_rate: Hz, for signed 16-bit mono without a header.
        Raises InputError, UsageError or ChannelError if the header arrives within `HEADER_S`; otherwise `blocks`
        raises it.
        """
        self.name = name
        self.sample_rate = 0  # unknown until the header arrives
        self.notes: list[str] = []
        self._blocks: queue.Queue[Samples | BaseException | None] = queue.Queue(AHEAD)
        self._opened = threading.Event()
        self._open_error: BaseException | None = None
        self._pipe: Pipe | None = None

        def open_it() -> Recording:
            try:
                descriptor = os.open(place, os.O_RDONLY) if isinstance(place, str) else place
            except OSError as error:
                raise cannot_read(str(place), error) from error
            self._pipe = Pipe(descriptor, name)
            decoder = open_pipe(self._pipe, name, raw_rate=raw_rate)
            return Recording(decoder, name, channel=channel)

        threading.Thread(target=self._read, args=(open_it,), daemon=True).start()
        if self._opened.wait(HEADER_S) and self._open_error is not None:
            raise self._open_error

    def close(self) -> None:
        """Does nothing: the thread may be waiting for the writer, and ends with the process."""

    def blocks(self) -> Generator[Samples | None, None, None]:
        """Yield mono float32 blocks (n,) as they arrive.

        After each `TICK_S` without a block: an empty block if some bytes arrived, None if none did. Raises
        InputError as a recording does, and the error of a header that arrived after the constructor returned.
        """
        received = 0
        while True:
            try:
                block = self._blocks.get(timeout=TICK_S)
            except queue.Empty:
                before, received = received, self._pipe.received if self._pipe else 0
                yield None if received == before else np.zeros(0, np.float32)
                continue
            if block is None:
                return
            if isinstance(block, BaseException):
                raise block
            yield block

    def _read(self, open_it: Callable[[], Recording]) -> None:
        try:
            try:
                recording = open_it()
                self.sample_rate, self.notes = recording.sample_rate, recording.notes
            except BaseException as error:
                self._open_error = error
                raise
            finally:
                self._opened.set()
            for block in recording.blocks():
                self._blocks.put(block)
            self._blocks.put(None)
        except BaseException as error:  # `blocks` raises it in the reader's thread
            self._blocks.put(error)
