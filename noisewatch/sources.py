"""Recordings and pipes as sources of audio, and the one word that names any source."""

from __future__ import annotations

import contextlib
import os
import queue
import stat
import sys
import threading
import time
from collections.abc import Callable, Generator
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .decoders import Decoder, open_file, open_pipe
from .downmix import Downmix, block_frames
from .engine import TICK_S, Source
from .errors import ChannelError, InputError, UsageError
from .pcm import check_format
from .pipe import Pipe, cannot_read

HEADER_S = 0.5  # that the header of a pipe is waited for before the session begins without it
AHEAD = 16  # blocks of a pipe that are read before they are asked for

Samples = NDArray[np.float32]

# What folders are searched for; from ".mp4" on ffmpeg is needed.
SUFFIXES = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".w64", ".rf64",
            ".au", ".snd", ".caf", ".mp4", ".mkv", ".mka", ".mov", ".avi", ".webm", ".m4a", ".m4b", ".aac", ".wma",
            ".3gp", ".flv", ".amr"}  # fmt: skip


def open_source(
    word: str | None = None,
    *,
    device: str | None = None,
    channel: int | None = None,
    raw_rate: int | None = None,
    paced: bool = True,
    command: str = "listen",
) -> Source:
    """None: the microphone `device`; "demo"; "-": stdin; else a path. `channel` counts from 1.

    Recordings are averaged over their channels unless one is picked; a microphone gives its first.
    command: what sentences tell the user to run. Raises DeviceError, InputError or UsageError.
    """
    if channel is not None and channel < 1:
        raise UsageError(f"the channel is {channel}; channels count from 1.")
    piped = word is not None and word not in ("-", "demo") and _is_pipe(word)
    if raw_rate is not None and word != "-" and not piped:
        raise UsageError(f"--raw-rate describes what comes through a pipe: noisewatch {command} - --raw-rate 48000")
    if word is None:
        from .microphone import Microphone  # late: PortAudio may be missing, and is not needed for files

        return Microphone(device, channel=channel or 1)
    if device is not None:
        raise UsageError(f"--device names a microphone, and {word!r} names a recording: give one of the two.")
    if word == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                f"`{command} -` reads audio from a pipe: ffmpeg -v error -i talk.mp4 -f wav - | noisewatch "
                f"{command} -"
            )
        return Piped("stdin", sys.stdin.fileno(), channel=channel, raw_rate=raw_rate, command=command)
    if piped:
        return Piped(Path(word).name, word, channel=channel, raw_rate=raw_rate, command=command)
    if word == "":
        raise InputError("the name of the recording is empty (''). Name a file.")
    demo = Path(str(resources.files("noisewatch") / "demo.flac"))
    path = demo if word == "demo" else Path(word)
    name = "demo" if word == "demo" else path.name
    return open_recording(path, name, channel=channel, paced=paced, command=command)


def _is_pipe(word: str) -> bool:
    try:
        mode = os.stat(word).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def open_recording(
    path: Path, name: str, *, channel: int | None = None, paced: bool = False, command: str = "check"
) -> Recording:
    """A file as a source, called `name`. Raises InputError with the reason and what to do, or ChannelError."""
    return Recording(open_file(path, name, command=command), name, channel=channel, paced=paced)


class Recording:
    """A sound file or a pipe: as fast as it is read, or paced as if it were live."""

    live = False
    pauses = False
    drops = 0
    late_s = 0.0

    def __init__(self, decoder: Decoder, name: str, *, channel: int | None = None, paced: bool = False) -> None:
        self.name = name
        check_format(name, decoder.sample_rate, decoder.channels)
        self.sample_rate: int = decoder.sample_rate
        if channel is not None and channel > decoder.channels:
            raise ChannelError(
                f"{name} has {decoder.channels} channel(s), no channel {channel}. They count from 1."
            )
        self.promised_s = decoder.promised_s  # how long it should be; 0 where nobody knows
        self.notes = decoder.notes
        self._decoder = decoder
        self._channel = channel
        self._paced = paced

    def close(self) -> None:
        """The file is closed when its blocks were read, or are not asked for any more."""

    def blocks(self) -> Generator[Samples, None, None]:
        """Mono float32 blocks, of 0.1 s when paced.

        Raises InputError for damage, no audio, or an early end, after all that could be read was given.
        """
        size = block_frames(self._decoder.channels, self.sample_rate)
        began, frames = time.monotonic(), 0
        with contextlib.closing(self._mono(size * (10 if self._paced else 40))) as parts:
            for mono in parts:
                if not self._paced:
                    frames += len(mono)
                    yield mono
                    continue
                for start in range(0, len(mono), size):
                    block = mono[start : start + size]
                    frames += len(block)
                    time.sleep(max(0.0, began + frames / self.sample_rate - time.monotonic()))
                    yield block
        if not frames:
            raise InputError(f"{self.name} holds no audio: it has 0 samples. Check what made it.")

    def _mono(self, frames: int) -> Generator[Samples, None, None]:
        """One channel, some samples at a time."""
        mix: Downmix | None = None
        try:
            with contextlib.closing(self._decoder.read(frames)) as parts:
                for samples in parts:
                    if self._channel is not None and self._channel > samples.shape[1]:
                        raise InputError(
                            f"{self.name} goes on with {samples.shape[1]} channel(s), and has no channel "
                            f"{self._channel} there. Leave --channel out."
                        )
                    if self._channel is not None:
                        yield samples[:, self._channel - 1].copy()
                        continue
                    if mix is None or mix.channels != samples.shape[1]:
                        if mix is not None:
                            yield from self._mixed(mix, mix.finish())
                        mix = Downmix(samples.shape[1], self.sample_rate)
                    yield from self._mixed(mix, mix.feed(samples))
        except InputError:
            if mix is not None:
                yield from self._mixed(mix, mix.finish())
            raise
        if mix is not None:
            yield from self._mixed(mix, mix.finish())

    def _mixed(self, mix: Downmix, mono: Samples) -> Generator[Samples, None, None]:
        if mix.cancelled and "cancelled" not in self.notes:
            self.notes.append("cancelled")
        if len(mono):
            yield mono


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
