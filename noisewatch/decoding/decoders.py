"""What turns files and pipes into samples of all channels."""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import shlex
import stat
import tempfile
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from shutil import which
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
import soxr

from ..audio.signal import Samples
from ..errors import InputError, UsageError
from ..system.native_stderr import quiet_stderr
from . import pcm
from .ffmpeg import Ffmpeg
from .magic import behind, rest_of, search
from .pcm import ANOTHER, LOST, LOST_S, TOLERANCE_S, Uncompressed, cut_off, ended_early
from .pieces import Layout, Span, Window, examine
from .pipe import Pipe, cannot_read

if TYPE_CHECKING:
    from soundfile import SoundFile

READABLE = "WAV, FLAC, OGG, Opus, MP3, AIFF, W64"
MOST_SPOOLED = 4 << 30  # bytes of a pipe that are kept to be read like a file
SMALL = 1 << 12  # frames read at a time: a usual block of FLAC
AHEAD = 1 << 13  # bytes that libFLAC reads ahead
UNKNOWN = 1 << 60  # samples: libsndfile's word for a length that it does not know is above


class Decoder(Protocol):
    """Samples of all channels, from beginning to end, once."""

    sample_rate: int
    channels: int  # at the beginning; another piece may have more or fewer
    promised_s: float  # by the header; 0 where it does not know
    notes: list[str]  # keys of `wording.NOTES`: what is odd about it; grows while it is read

    def read(self, frames: int) -> Generator[Samples, None, None]:
        """float32 (n, channels), at most so many frames at a time.

        Raises InputError for damage and for an early end, after all that could be read was given.
        """


def open_file(path: Path, name: str, *, shown: str = "") -> Decoder:
    """What reads a file. Raises InputError with the reason and what to do.

    name: what errors call it while it is read; shown: what they call it if it cannot be opened (default: its path).
    """
    import soundfile

    shown = shown or str(path)
    try:
        if path.is_dir():
            raise InputError(f"{shown!r} is a folder. Name one recording in it.")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a named pipe would be waited for
            raise InputError(f"{shown} is a device or pipe, not a regular file.")
        layout = examine(path)
        if layout.loose:
            return Uncompressed.of_file(path, name)
        return SoundFiles(path, name, layout)
    except FileNotFoundError as error:
        raise InputError(f"no file at {shown}. Check the name and the folder.") from error
    except TypeError as error:  # soundfile asks for the rate of what has no header
        quoted = shlex.quote(str(path))
        raise InputError(
            f"{shown} has no header, so its sample rate is unknown. Convert it: ffmpeg -f s16le -ar 48000 "
            f"-i {quoted} {quoted}.wav; or pipe it in: noisewatch check - --raw-rate 48000 < {quoted}"
        ) from error
    except OSError as error:
        raise cannot_read(shown, error) from error
    except soundfile.SoundFileError as error:
        if not status.st_size:
            raise _unreadable(shown, "it has 0 bytes") from error
        return _by_ffmpeg(path, name, shown, _reason(error), chain=len(layout.pieces) > 1)


def open_pipe(pipe: Pipe, name: str, *, raw_rate: int | None = None) -> Decoder:
    """What reads a pipe. Uncompressed audio is given as it comes; anything else is read to its end first.

    raw_rate: it is signed 16-bit mono at this rate (Hz), without a header. Raises InputError or UsageError.
    """
    if raw_rate is not None:
        low, high = pcm.RATES
        if not low <= raw_rate <= high:
            raise UsageError(f"--raw-rate is {raw_rate} Hz; allowed: {low} to {high}.")
        return Uncompressed(pipe, pcm.Header("raw", raw_rate, 1, "<i2", "", None), name, at_once=True)
    head = pipe.peek(4)
    advice = (
        "Convert it before the pipe: ffmpeg -v error -i INPUT -f wav - | ...; for raw signed 16-bit mono, give the "
        "rate: --raw-rate 48000"
    )
    if not head:
        raise InputError(f"{name} is no WAV: it ended before anything came. {advice}")
    if head not in pcm.MAGIC or pcm.foreign(pipe.peek(12)):
        return _spooled(pipe, name, advice)
    header = pcm.read_header(pipe.read)
    if header is None:
        raise InputError(f"{name} is no WAV that can be read: its header is damaged or cut. {advice}")
    if header.coding is None:
        raise InputError(
            f"{name} is {header.container} with {header.codec}; through a pipe PCM, float, A-law and mu-law can be "
            "read. Give the file itself, or decode it before the pipe: ffmpeg -v error -i FILE -f wav - | ..."
        )
    return Uncompressed(pipe, header, name, at_once=True)


def _spooled(pipe: Pipe, name: str, advice: str) -> Decoder:
    """A pipe that has to be read to its end first, kept in a temporary file that nobody else can open."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as what reads it
        for data in pipe.chunks(1 << 16):
            file.write(data)
            if file.tell() > MOST_SPOOLED:
                raise InputError(f"{name} sent more than {MOST_SPOOLED >> 30} GiB that is no WAV. {advice}")
        file.flush()
    except OSError as error:
        raise InputError(
            f"{name} is no WAV, and there is no place to keep it until its end ({error.strerror}). Set TMPDIR. "
            f"{advice}"
        ) from error
    path = Path(f"/dev/fd/{file.fileno()}" if os.name == "posix" else file.name)
    return Spooled(open_file(path, name, shown=name), file)


class Spooled:
    """A decoder of a file that exists as long as it is read."""

    def __init__(self, decoder: Decoder, file: IO[bytes]) -> None:
        self.sample_rate, self.channels = decoder.sample_rate, decoder.channels
        self.promised_s, self.notes = decoder.promised_s, decoder.notes
        self._decoder, self._file = decoder, file

    def read(self, frames: int) -> Generator[Samples, None, None]:
        with self._file:
            yield from self._decoder.read(frames)


class SoundFiles:
    """A file that libsndfile reads, one piece after the other."""

    def __init__(self, path: Path, name: str, layout: Layout) -> None:
        """Raises soundfile.SoundFileError, TypeError or OSError when the first piece can't be opened."""
        self._path, self._name, self._layout = path, name, layout
        self._first = self._open(layout.pieces[0])
        self.channels: int = self._first.file.channels
        self.sample_rate: int = self._first.file.samplerate
        self.promised_s = self._first.promised_s
        self.notes: list[str] = []
        for span in layout.pieces[1:]:
            with contextlib.suppress(Exception), self._open(span) as piece:  # said when it is reached
                # Pieces of other rates come at the highest: nothing may be lost.
                self.sample_rate = max(self.sample_rate, piece.file.samplerate)
                self.promised_s += piece.promised_s

    def read(self, frames: int) -> Generator[Samples, None, None]:
        import soundfile

        pieces, heard, lost = self._layout.pieces, 0, ""
        for number, span in enumerate(pieces, 1):
            before = heard
            try:
                with self._first if number == 1 else self._open(span) as piece:
                    for samples in piece.read(frames, self.sample_rate):
                        heard += len(samples)
                        yield samples
                    if self._layout.watched:
                        seconds = (heard - before) / self.sample_rate
                        lost = self._lost(self._behind(span, piece.unread), span, seconds)
            except (soundfile.SoundFileError, OSError) as error:
                at, why = heard / self.sample_rate, _reason(error)
                if len(pieces) == 1:
                    raise InputError(
                        f"{self._name} is damaged: it cannot be read beyond {at:.1f} s ({why})."
                    ) from error
                raise self._only(heard, f"piece {number} of {len(pieces)} is damaged ({why})") from error
            promised, got = piece.promised_s, (heard - before) / self.sample_rate
            if got < promised - TOLERANCE_S:
                if len(pieces) == 1:
                    raise ended_early(self._name, promised, got)
                why = f"piece {number} of {len(pieces)} promises {promised:.1f} s and has {got:.1f} s"
                raise self._only(heard, why)
            if lost:
                break
        if self._layout.cut:
            raise cut_off(self._name, heard / self.sample_rate)
        if lost := lost or self._lost(self._layout.rest, pieces[-1], got):
            raise self._only(heard, lost)

    def _lost(self, rest: int, span: Span, seconds: float) -> str:
        """What may be lost in so many bytes at the end of a piece of so many seconds."""
        if not rest:
            return ""
        with self._path.open("rb") as file:
            if search(file, span.end - rest, span.end) >= 0:
                return ANOTHER
        if rest * seconds >= LOST_S * (span.end - span.start - rest):
            return LOST.format(rest)
        return ""

    def _only(self, heard: int, why: str) -> InputError:
        return InputError(
            f"only the first {heard / self.sample_rate:.1f} s of {self._name} could be judged: {why}. "
            "Check what made it."
        )

    def _open(self, span: Span) -> Piece:
        whole = len(self._layout.pieces) == 1 and not span.head
        return Piece(self._path, span, whole=whole, watched=self._layout.watched, talks=self._layout.unknown)

    def _behind(self, span: Span, unread: int) -> int:
        """Bytes at the end of a piece that nobody asked for, where there are so many that they may be audio."""
        with self._path.open("rb") as file:
            # Where the decoder read ahead, what it has in hand may begin another recording.
            begin = max(span.start + 1, span.end - unread - AHEAD)
            if (at := search(file, begin, span.end, frames=False)) >= 0:
                return span.end - at
            return rest_of(file, span.end - unread, span.end)


class _Aside:
    """Runs calls on another thread, one at a time.

    An exception of a signal in the middle of a `threading.Condition` leaves it locked for ever. Executors, futures
    and `Thread.start` are made of these; a SimpleQueue is not.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None] | None] = SimpleQueue()
        weakref.finalize(self, self._calls.put, None)  # a piece that was opened and never read
        _thread.start_new_thread(_serve, (self._calls, self._results))

    def run(self, call: Callable[[], Any]) -> Any:
        self._calls.put(call)
        result = self._results.get()
        assert result is not None
        value, error = result
        if error is not None:
            raise error
        return value

    def end(self) -> None:
        """Wait for a call that nobody waited for, and end the thread."""
        self._calls.put(None)
        while self._results.get() is not None:
            pass


def _serve(calls: SimpleQueue[Any], results: SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        try:
            results.put((call(), None))
        except BaseException as error:
            results.put((None, error))
        del call
    results.put(None)


class Piece:
    """A piece of a file, opened by libsndfile. Used in a `with` statement, which closes it."""

    def __init__(self, path: Path, span: Span, *, whole: bool, watched: bool, talks: bool) -> None:
        """whole: it is all of the file; watched: `unread` will be asked for; talks: mpg123 may read it.

        Raises soundfile.SoundFileError, TypeError or OSError.
        """
        # libsndfile reads a part of a file through Python, where exceptions are lost. Those of signals are
        # raised wherever the main thread happens to be (Ctrl-C): so that has to be another thread.
        self._aside = None if whole else _Aside()
        self._watched, self._size, self._talks = watched, span.end, talks
        self._window: Window | None = None
        self._descriptor = -1
        try:
            with self._quiet():
                self.file: SoundFile = self._apart(self._opened, path, span)
        except BaseException:
            self._end()
            raise
        exact = span.exact and 0 < self.file.frames < UNKNOWN
        self._frames = self.file.frames if exact else UNKNOWN
        self.promised_s = self.file.frames / self.file.samplerate * span.short if exact else 0.0

    def _opened(self, path: Path, span: Span) -> SoundFile:
        if self._aside is not None:
            self._window = Window(path.open("rb"), span)
            return _sequential()(self._window)
        if self._watched:
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            return _sequential()(self._descriptor)
        # On Unix a name is bytes, and need not be text.
        return _sequential()(str(path) if os.name == "nt" else os.fsencode(path))

    def _quiet(self) -> AbstractContextManager[None]:
        return quiet_stderr() if self._talks else contextlib.nullcontext()

    def _apart(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if self._aside is None:
            return call(*args, **options)
        return self._aside.run(functools.partial(call, *args, **options))

    def __enter__(self) -> Piece:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self.file.close()
        if self._window is not None:
            self._window.close()

    def _end(self) -> None:
        if self._aside is not None:
            self._aside.end()

    def read(self, frames: int, sample_rate: int) -> Generator[Samples, None, None]:
        """Its samples (n, channels) at a rate.

        Raises soundfile.SoundFileError or OSError after all that could be read was given.
        """
        import soundfile

        file, left = self.file, self._frames  # what stands behind the end of a FLAC would be taken for damage
        resampler = None
        if file.samplerate != sample_rate:
            resampler = soxr.ResampleStream(file.samplerate, sample_rate, file.channels, dtype="float32")
        failed: Exception | None = None
        while True:
            # Many small reads: one that fails in the middle gives nothing at all.
            parts, wanted = [np.zeros((0, file.channels), np.float32)], min(frames, left)
            with self._quiet():
                while wanted:
                    try:
                        part = self._apart(file.read, min(wanted, SMALL), dtype="float32", always_2d=True)
                    except (soundfile.SoundFileError, OSError) as error:
                        failed = error
                        break
                    if not len(part):
                        break
                    parts.append(part)
                    wanted -= len(part)
            samples = np.concatenate(parts)
            left -= len(samples)
            last = wanted > 0 or not len(samples)
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
        """Bytes that libsndfile did not ask for."""
        if self._window is not None:
            return self._window.left
        return self._size - os.lseek(self._descriptor, 0, os.SEEK_CUR)


@cache
def _sequential() -> type[SoundFile]:
    """A SoundFile that never seeks.

    The ordinary one seeks to where it is after every read: MP3 then decodes anew from somewhere near, and FLAC
    without a length fails at its end.
    """
    import soundfile

    class Sequential(soundfile.SoundFile):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Sequential


def _unreadable(what: str, reason: str, advice: str = f"Readable: {READABLE}.") -> InputError:
    return InputError(f"{what} is no audio that can be read ({reason}). {advice}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    said = str(error).rpartition(":")[2].strip().rstrip(".")
    return "its format is not known" if "does not exist" in said else said  # libsndfile's word for a damaged MP3


def _by_ffmpeg(path: Path, name: str, shown: str, reason: str, *, chain: bool) -> Decoder:
    """ffmpeg's reading of what libsndfile refused for a reason."""
    if which("ffmpeg") is None:
        advice = f"Readable: {READABLE}. For M4A, AAC, WebM and the sound of videos, install ffmpeg and try again."
        raise _unreadable(shown, reason, advice)
    try:
        return Ffmpeg(path, name, rest=behind(path), chain=chain)
    except (InputError, OSError) as error:
        said = str(error).removeprefix("ffmpeg ").rstrip(".")
        raise _unreadable(shown, f"{reason}; ffmpeg: {said}") from error
