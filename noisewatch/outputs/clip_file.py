"""The sound file of one clip, and its recovery after a crash."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.signal import Samples
from ..system.files import create_part


class ClipFile:
    """A mono sound file that gets its name once it is complete.

    Methods raise OSError with the reason from the operating system, which libsndfile does not pass on.
    """

    def __init__(self, path: Path, rate: int) -> None:
        self._path, self._rate = path, rate
        self._create()

    def probe(self) -> None:
        """Check that a clip can be written, and remove it. Raises OSError."""
        try:
            with self._disk.errors_raised():
                self._disk.write(bytes(4096))
        finally:
            self.discard()

    def write(self, samples: Samples) -> None:
        """Append samples (n,) float32; the first ones above full scale turn the FLAC into a float WAV."""
        if self._path.suffix == ".flac" and np.abs(samples).max(initial=0.0) > 1:
            self._convert_to_wav()
        with self._disk.errors_raised():
            self._file.write(samples)

    def finish(self) -> None:
        """Close the file and give it its name."""
        with self._disk.errors_raised():
            self._file.close()
        if sys.platform == "win32":  # which cannot rename an open file
            self._disk.close()
        self._part.replace(self._path)
        self._disk.close()

    def discard(self) -> None:
        """Close the file and remove it."""
        with contextlib.suppress(Exception):
            self._file.close()
        self._disk.close()
        self._part.unlink(missing_ok=True)

    def _create(self) -> None:
        import soundfile

        handle, self._part = create_part(self._path.parent, f".{self._path.name}")
        self._disk = _DiskFile(os.fdopen(handle, "w+b", buffering=0))
        form, subtype = ("FLAC", "PCM_16") if self._path.suffix == ".flac" else ("WAV", "FLOAT")
        try:
            with self._disk.errors_raised():
                self._file = soundfile.SoundFile(self._disk, "w", self._rate, 1, subtype, format=form)
        except Exception:
            self.discard()
            raise

    def _convert_to_wav(self) -> None:
        import soundfile

        flac, part = self._disk, self._part
        with flac.errors_raised():
            self._file.close()
        self._path = self._path.with_suffix(".wav")
        try:
            self._create()
            if flac.seek(0, os.SEEK_END):  # a FLAC without samples is an empty file
                flac.seek(0)
                with soundfile.SoundFile(flac) as written, self._disk.errors_raised():
                    for block in written.blocks(1 << 16, dtype="float32"):
                        self._file.write(block)
        finally:
            flac.close()
            part.unlink(missing_ok=True)


class _DiskFile:
    """A file object for libsndfile that remembers the OSError of a failed write."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek, self.tell, self.read, self.close = file.seek, file.tell, file.read, file.close
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        done, data = 0, bytes(data)
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError as error:  # an exception cannot pass through libsndfile's callback
            self._error = error
        return done

    @contextlib.contextmanager
    def errors_raised(self) -> Iterator[None]:
        """Raise the OSError of a write within this block, in place of what soundfile raised."""
        try:
            yield
        except Exception as error:  # soundfile has exceptions of several kinds
            raise self._error or OSError(str(error)) from error
        if self._error is not None:
            raise self._error


def recover(part: Path) -> None:
    """Turn the unfinished clip of a killed process into a clip of all samples that can be read; remove it if none.

    If the disk has no room for the clip, the part stays for a later session.
    """
    import soundfile

    try:
        with part.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as written:
            _copy(written, part.with_name(part.name[1:].rsplit(".", 2)[0]))
    except soundfile.SoundFileError:
        pass
    except OSError:
        return
    with contextlib.suppress(OSError):
        part.unlink()


def _copy(written: Any, path: Path) -> None:
    """Write a clip of the readable samples, unless there are none or the clip exists. Raises OSError."""
    import soundfile

    clip, count = ClipFile(path, written.samplerate), 0
    try:
        with contextlib.suppress(soundfile.SoundFileError):  # at the point where the file is cut off
            while len(block := written.read(1024, dtype="float32")):
                clip.write(block)
                count += len(block)
        if count and not path.exists():
            clip.finish()
        else:
            clip.discard()
    except Exception:
        clip.discard()
        raise
