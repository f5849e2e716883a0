"""Recordings and pipes as sources of audio, and the one word that names any source."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import time
from collections.abc import Generator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .engine import Source
from .errors import InputError, UsageError
from .quiet import quiet_stderr

if TYPE_CHECKING:
    from soundfile import SoundFile

BLOCK_S = 0.1  # length of the blocks handed out
ENDLESS_S = 6 * 3600  # a pipe whose header promises more was most likely begun before its length was known
VIDEO = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4a", ".aac", ".wma", ".3gp", ".flv"}
READABLE = "WAV, FLAC, OGG, Opus, MP3, AIFF, W64"

Samples = NDArray[np.float32]


def open_source(
    word: str | None = None,
    *,
    device: str | None = None,
    channel: int | None = None,
    raw_rate: int | None = None,
    paced: bool = True,
) -> Source:
    """None: the microphone `device`; "demo"; "-": stdin; else a path. `channel` counts from 1.

    Recordings are averaged over their channels unless one is picked; a microphone gives its first.
    Raises DeviceError, InputError or UsageError.
    """
    if channel is not None and channel < 1:
        raise UsageError(f"the channel is {channel}; channels count from 1.")
    if raw_rate is not None and word != "-":
        raise UsageError("--raw-rate describes what comes through a pipe: noisewatch listen - --raw-rate 48000")
    if word is None:
        from .microphone import Microphone  # late: PortAudio may be missing, and is not needed for files

        return Microphone(device, channel=channel or 1)
    if device is not None:
        raise UsageError(f"--device names a microphone, and {word!r} names a recording: give one of the two.")
    if word == "-":
        return Recording(_open_stdin(raw_rate), "stdin", channel=channel)
    demo = Path(str(resources.files("noisewatch") / "demo.flac"))
    path = demo if word == "demo" else Path(word)
    name = "demo" if word == "demo" else path.name
    return Recording(open_sound_file(path), name, channel=channel, paced=paced)


def open_sound_file(path: Path) -> SoundFile:
    """A recording, opened by libsndfile. Raises InputError with the reason and what to do."""
    import soundfile

    if not str(path) or path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; name one recording in it.")
    try:
        size = path.stat().st_size
        with quiet_stderr():
            # On Unix a name is bytes, and need not be text.
            return soundfile.SoundFile(str(path) if os.name == "nt" else os.fsencode(path))
    except FileNotFoundError as error:
        raise InputError(f"no file at {path}. Check the name and the folder.") from error
    except TypeError as error:  # soundfile asks for the rate of what has no header
        raise InputError(
            f"{path} has no header that says its rate. Pipe it in: noisewatch listen - --raw-rate 48000 < "
            f"{shlex.quote(str(path))}"
        ) from error
    except (soundfile.SoundFileError, OSError) as error:
        if isinstance(error, OSError):
            reason = str(error.strerror)
        else:
            reason = "it has 0 bytes" if size == 0 and path.is_file() else str(error).rpartition(":")[2].strip()
        if path.suffix.lower() in VIDEO:
            advice = (
                f"Let ffmpeg open it: ffmpeg -v error -i {shlex.quote(str(path))} -f wav - | noisewatch listen -"
            )
        else:
            advice = f"Readable: {READABLE}."
        raise InputError(f"{path} is no audio that can be read ({reason}). {advice}") from error


def _open_stdin(raw_rate: int | None) -> SoundFile:
    import soundfile

    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("`listen -` reads audio from a pipe: ffmpeg -i talk.mp4 -f wav - | noisewatch listen -")
    raw: dict[str, Any] = {}
    if raw_rate is not None:
        if not 1_000 <= raw_rate <= 768_000:
            raise UsageError(f"--raw-rate is {raw_rate} Hz; allowed: 1000 to 768000.")
        raw = {"samplerate": raw_rate, "channels": 1, "format": "RAW", "subtype": "PCM_16", "endian": "LITTLE"}
    try:
        return soundfile.SoundFile(sys.stdin.fileno(), closefd=False, **raw)
    except (soundfile.SoundFileError, OSError) as error:
        raise InputError(
            f"stdin is no WAV ({str(error).rpartition(':')[2].strip()}). Make one: ffmpeg -i INPUT -f wav - | "
            "noisewatch listen -; or say what it is: --raw-rate 48000 for raw signed 16-bit mono."
        ) from error


class Recording:
    """A sound file or a pipe: as fast as it is read, or paced as if it were live."""

    live = False
    drops = 0
    late_s = 0.0

    def __init__(self, file: SoundFile, name: str, *, channel: int | None = None, paced: bool = False) -> None:
        self.name = name
        self.sample_rate: int = file.samplerate
        if channel is not None and channel > file.channels:
            raise UsageError(f"{name} has {file.channels} channel(s), no channel {channel}. They count from 1.")
        self._file = file
        self._channel = channel
        self._paced = paced
        self.promised_s = self._promise(file)  # by the header; 0 where it does not know

    @staticmethod
    def _promise(file: SoundFile) -> float:
        promised = file.frames / file.samplerate
        if file.seekable():
            # libsndfile believes the size of the file; in its notes is what a WAV header had said.
            note = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
            promised *= int(note[1]) / max(1, int(note[2])) if note else 1
        return promised if promised < ENDLESS_S else 0.0

    def blocks(self) -> Generator[Samples, None, None]:
        """Mono float32 blocks, of 0.1 s when paced. Raises InputError for damage, no audio, or an early end."""
        import soundfile

        size = max(1, round(BLOCK_S * self.sample_rate))
        # A file gives seconds at a time, which costs few calls; a pipe gives what has come.
        read = (10 if self._paced else 40) * size if self._file.seekable() else size
        began, frames = time.monotonic(), 0
        talks = self._file.format == "MP3"
        with self._file:
            while True:
                try:
                    with quiet_stderr() if talks else contextlib.nullcontext():
                        samples = self._file.read(read, dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, OSError) as error:
                    at, why = frames / self.sample_rate, str(error).rpartition(":")[2].strip()
                    raise InputError(
                        f"{self.name} is damaged: it cannot be read beyond {at:.1f} s ({why})."
                    ) from error
                if not len(samples):
                    break
                if self._channel:
                    mono = samples[:, self._channel - 1].copy()
                else:
                    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
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
        heard = frames / self.sample_rate
        if heard < self.promised_s - 0.1:
            raise InputError(
                f"{self.name} ended early: its header promises {self.promised_s:.1f} s, and {heard:.1f} s were "
                "there."
            )
