"""A pipe as a source of audio."""

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

HEADER_S = 0.5  # that the header of a pipe is waited for before the session begins without it
AHEAD = 16  # blocks of a pipe that are read before they are asked for


class Piped:
    """A recording that comes through a pipe, read on a thread of its own: nobody has to wait for its writer."""

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
        command: str = "listen",
    ) -> None:
        """Begin to read a descriptor, or a named pipe, which opens when it has a writer.

        Raises what the header gives reason for, if that comes at once; else `blocks` does.
        """
        self.name = name
        self.sample_rate = 0  # not known before there is a header
        self.notes: list[str] = []
        self._blocks: queue.Queue[Samples | BaseException | None] = queue.Queue(AHEAD)
        self._began = threading.Event()
        self._refused: BaseException | None = None
        self._pipe: Pipe | None = None

        def opened() -> Recording:
            try:
                descriptor = os.open(place, os.O_RDONLY) if isinstance(place, str) else place
            except OSError as error:
                raise cannot_read(str(place), error) from error
            self._pipe = Pipe(descriptor, name)
            decoder = open_pipe(self._pipe, name, raw_rate=raw_rate, command=command)
            return Recording(decoder, name, channel=channel)

        threading.Thread(target=self._read, args=(opened,), daemon=True).start()
        if self._began.wait(HEADER_S) and self._refused is not None:
            raise self._refused

    def close(self) -> None:
        """The thread ends with the process: it may wait for the writer."""

    def blocks(self) -> Generator[Samples | None, None, None]:
        """Mono float32 blocks as they come, an empty one for bytes that make none yet, None where nothing came.

        Raises InputError as a recording does.
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

    def _read(self, opened: Callable[[], Recording]) -> None:
        try:
            try:
                recording = opened()
                self.sample_rate, self.notes = recording.sample_rate, recording.notes
            except BaseException as error:
                self._refused = error
                raise
            finally:
                self._began.set()
            for block in recording.blocks():
                self._blocks.put(block)
            self._blocks.put(None)
        except BaseException as error:  # raised where the blocks are asked for
            self._blocks.put(error)
