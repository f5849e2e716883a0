"""One piece of a file, opened by libsndfile."""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import soxr

from ..audio.signal import Samples
from ..system.native_stderr import quiet_stderr
from .call_thread import CallThread
from .pieces.layout import Span

if TYPE_CHECKING:
    from soundfile import SoundFile

SMALL = 1 << 12  # frames per read: a usual block of FLAC
UNKNOWN = 1 << 60  # samples: libsndfile reports an unknown length as a larger number


class Piece:
    """A piece of a file. Use it in a `with` statement, which closes it."""

    def __init__(self, path: Path, span: Span, *, whole: bool, watched: bool, prints: bool) -> None:
        """whole: it is the whole file; watched: `unread` will be used; prints: mpg123 may decode it, and print.

        Raises soundfile.SoundFileError, TypeError or OSError.
        """
        # libsndfile reads a part of a file through Python callbacks, in which exceptions are lost. Those of signals
        # (Ctrl-C) are raised wherever the main thread happens to be, so the callbacks run on another thread.
        self._thread = None if whole else CallThread()
        self._watched, self._size, self._prints = watched, span.end, prints
        self._window: FileWindow | None = None
        self._descriptor = -1
        try:
            with self._quiet():
                self.file: SoundFile = self._call(self._opened, path, span)
        except BaseException:
            self._end()
            raise
        exact = span.exact and 0 < self.file.frames < UNKNOWN
        self._frames = self.file.frames if exact else UNKNOWN
        self.promised_s = self.file.frames / self.file.samplerate * span.short if exact else 0.0

    def __enter__(self) -> Piece:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self.file.close()
        if self._window is not None:
            self._window.close()

    def read(self, frames: int, sample_rate: int) -> Generator[Samples, None, None]:
        """Yield float32 (n, channels), resampled to `sample_rate` (Hz), from reads of at most `frames` frames.

        Raises soundfile.SoundFileError or OSError after everything decodable was yielded.
        """
        file, left = self.file, self._frames  # libsndfile mistakes data after the end of a FLAC for damage
        resampler = None
        if file.samplerate != sample_rate:
            resampler = soxr.ResampleStream(file.samplerate, sample_rate, file.channels, dtype="float32")
        while True:
            wanted = min(frames, left)
            samples, failed = self._block(wanted)
            left -= len(samples)
            last = len(samples) < wanted or not len(samples)
            if resampler is not None:
                samples = resampler.resample_chunk(samples, last=last)
            if len(samples):
                yield samples
            if failed is not None:
                raise failed
            if last:
                return

    @property
    def unread(self) -> int:
        """Bytes that libsndfile has not read."""
        if self._window is not None:
            return self._window.left
        return self._size - os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def _block(self, frames: int) -> tuple[Samples, Exception | None]:
        """Read at most `frames` frames; return them, and the error that stopped the read early.

        It makes many small reads, because one that fails returns nothing.
        """
        import soundfile

        parts = [np.zeros((0, self.file.channels), np.float32)]
        with self._quiet():
            while frames:
                try:
                    part = self._call(self.file.read, min(frames, SMALL), dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, OSError) as error:
                    return np.concatenate(parts), error
                if not len(part):
                    break
                parts.append(part)
                frames -= len(part)
        return np.concatenate(parts), None

    def _opened(self, path: Path, span: Span) -> SoundFile:
        if self._thread is not None:
            self._window = FileWindow(path.open("rb"), span)
            return _sequential()(self._window)
        if self._watched:
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            return _sequential()(self._descriptor)
        # On Unix a path is bytes, and need not be valid text.
        return _sequential()(str(path) if os.name == "nt" else os.fsencode(path))

    def _quiet(self) -> AbstractContextManager[None]:
        return quiet_stderr() if self._prints else contextlib.nullcontext()

    def _call(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if self._thread is None:
            return call(*args, **options)
        return self._thread.run(functools.partial(call, *args, **options))

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.end()


class FileWindow:
    """A part of a file that looks like a whole file to libsndfile."""

    def __init__(self, file: BinaryIO, span: Span) -> None:
        self._file, self._head = file, span.head
        self._start = span.start - len(span.head)
        self._size = span.end - self._start
        self._at = 0
        self.left = span.end - span.start  # bytes after the furthest read
        self.close = weakref.finalize(self, file.close)

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end."""
        data = self._head[self._at : self._at + size]
        more = min(size, self._size - self._at) - len(data)
        if more > 0:
            self._file.seek(self._start + self._at + len(data))
            data += self._file.read(more)
        self._at += len(data)
        self.left = min(self.left, self._size - self._at)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as `io.IOBase.seek` does."""
        base = 0 if whence == os.SEEK_SET else self._at if whence == os.SEEK_CUR else self._size
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at


@cache
def _sequential() -> type[SoundFile]:
    """Return a SoundFile class that never seeks.

    The ordinary one seeks to its own position after every read: an MP3 is then decoded again from a nearby
    position, and a FLAC without a length fails at its end.
    """
    import soundfile

    class Sequential(soundfile.SoundFile):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Sequential
