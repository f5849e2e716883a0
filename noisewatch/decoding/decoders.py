"""Opens a file or a pipe with the decoder that fits it."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path
from shutil import which
from typing import IO, Protocol

from ..audio.signal import Samples
from ..errors import InputError
from .containers import rest_after
from .ffmpeg import Ffmpeg
from .headers.chunks import MAGIC
from .headers.header import raw_header
from .headers.reader import is_other_container, read_header
from .libsndfile import Libsndfile, error_text
from .pieces.finder import find_pieces
from .pipe import Pipe, cannot_read
from .uncompressed import Uncompressed

READABLE = "WAV, FLAC, OGG, Opus, MP3, AIFF, W64"
MOST_SPOOLED = 4 << 30  # bytes of a pipe that are stored to be decoded like a file


class Decoder(Protocol):
    """Yields the samples of a recording once, from beginning to end."""

    sample_rate: int  # Hz
    channels: int  # of the first piece; others may differ
    promised_s: float  # duration by the header; 0 if unknown
    notes: list[str]  # keys of `wording.NOTES`: peculiarities of the recording; grows during `read`

    def read(self, frames: int) -> Generator[Samples, None, None]:
        """Yield float32 (n, channels), at most `frames` frames at a time.

        Raises InputError for damage and for an early end, after everything decodable was yielded.
        """


def open_file(path: Path, name: str, *, shown: str = "") -> Decoder:
    """Open a file. Raises InputError if it cannot be decoded.

    name: for errors while the file is read; shown: for errors while it is opened (default: its path).
    """
    import soundfile

    shown = shown or str(path)
    try:
        if path.is_dir():
            raise InputError(f"{shown!r} is a folder. Name one recording in it.")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would block
            raise InputError(f"{shown} is a device or pipe, not a regular file.")
        layout = find_pieces(path)
        if layout.loose:
            return Uncompressed.of_file(path, name)
        return Libsndfile(path, name, layout)
    except FileNotFoundError as error:
        raise InputError(f"no file at {shown}. Check the name and the folder.") from error
    except TypeError as error:  # soundfile needs a rate for a file without a header
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
        return _by_ffmpeg(path, name, shown, error_text(error), chain=len(layout.pieces) > 1)


def open_pipe(pipe: Pipe, name: str, *, raw_rate: int | None = None) -> Decoder:
    """Open a pipe. Uncompressed audio is decoded as it arrives; anything else is read to its end first.

    name: for error messages; raw_rate: sample rate (Hz) of signed 16-bit mono without a header.
    Raises InputError for a pipe that cannot be decoded, and UsageError for an impossible `raw_rate`.
    """
    if raw_rate is not None:
        return Uncompressed(pipe, raw_header(raw_rate), name, at_once=True)
    head = pipe.peek(4)
    advice = (
        "Convert it before the pipe: ffmpeg -v error -i INPUT -f wav - | ...; for raw signed 16-bit mono, give the "
        "rate: --raw-rate 48000"
    )
    if not head:
        raise InputError(f"{name} ended before any audio arrived. {advice}")
    if head not in MAGIC or is_other_container(pipe.peek(12)):
        return _spooled(pipe, name, advice)
    header = read_header(pipe.read)
    if header is None:
        raise InputError(f"{name} cannot be read as audio: its header is damaged or cut off. {advice}")
    if header.coding is None:
        raise InputError(
            f"{name} is {header.container} with {header.codec}; allowed in a pipe: PCM, float, A-law and mu-law. "
            "Give the file itself, or decode it before the pipe: ffmpeg -v error -i FILE -f wav - | ..."
        )
    return Uncompressed(pipe, header, name, at_once=True)


def _spooled(pipe: Pipe, name: str, advice: str) -> Decoder:
    """Read a pipe to its end, into a temporary file that no other process can open."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _Spooled
        for data in pipe.chunks(1 << 16):
            file.write(data)
            if file.tell() > MOST_SPOOLED:
                raise InputError(
                    f"{name} sent more than {MOST_SPOOLED >> 30} GiB of compressed audio or other data. {advice}"
                )
        file.flush()
    except OSError as error:
        raise InputError(
            f"{name} is not uncompressed audio, and cannot be stored until its end ({error.strerror}). "
            f"Set TMPDIR to a folder with free space. {advice}"
        ) from error
    path = Path(f"/dev/fd/{file.fileno()}" if os.name == "posix" else file.name)
    return _Spooled(open_file(path, name, shown=name), file)


class _Spooled:
    """A decoder of a temporary file, which is closed at the end."""

    def __init__(self, decoder: Decoder, file: IO[bytes]) -> None:
        self.sample_rate, self.channels = decoder.sample_rate, decoder.channels
        self.promised_s, self.notes = decoder.promised_s, decoder.notes
        self._decoder, self._file = decoder, file

    def read(self, frames: int) -> Generator[Samples, None, None]:
        with self._file:
            yield from self._decoder.read(frames)


def _by_ffmpeg(path: Path, name: str, shown: str, reason: str, *, chain: bool) -> Decoder:
    """Try ffmpeg on a file that libsndfile refused; reason: why it did."""
    if which("ffmpeg") is None:
        advice = f"Readable: {READABLE}. For M4A, AAC, WebM and the sound of videos, install ffmpeg and try again."
        raise _unreadable(shown, reason, advice)
    try:
        return Ffmpeg(path, name, rest=rest_after(path), chain=chain)
    except (InputError, OSError) as error:
        text = str(error).removeprefix("ffmpeg ").rstrip(".")
        raise _unreadable(shown, f"{reason}; ffmpeg: {text}") from error


def _unreadable(shown: str, reason: str, advice: str = f"Readable: {READABLE}.") -> InputError:
    return InputError(f"{shown} cannot be read as audio ({reason}). {advice}")
