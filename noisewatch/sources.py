"""Recordings and pipes as sources of audio, and the one word that names any source."""

from __future__ import annotations

import sys
import time
import wave
from collections.abc import Generator
from importlib import resources
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .engine import Source
from .errors import InputError, UsageError

BLOCK_S = 0.1  # length of the blocks handed out
VIDEO = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4a", ".aac", ".wma", ".3gp", ".flv"}

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
        return Pipe(sys.stdin.buffer, channel=channel, raw_rate=raw_rate)
    if word == "demo":
        demo = Path(str(resources.files("noisewatch") / "demo.flac"))
        return Recording(demo, name="demo", channel=channel, paced=paced)
    return Recording(Path(word), name=Path(word).name, channel=channel, paced=paced)


class Recording:
    """A sound file, as fast as it is read or paced as if it were live."""

    live = False
    late_s = 0.0

    def __init__(self, path: Path, *, name: str, channel: int | None = None, paced: bool = False) -> None:
        import soundfile

        if not path.exists():
            raise InputError(
                f"no file at {path}. `noisewatch listen demo` needs none; `noisewatch listen` the microphone."
            )
        if path.is_dir():
            raise InputError(f"{path} is a folder; name one recording in it.")
        try:
            self._file = soundfile.SoundFile(str(path))
        except (soundfile.SoundFileError, OSError) as error:
            raise InputError(_unreadable(path, error)) from error
        self.name = name
        self.path = path
        self.sample_rate: int = self._file.samplerate
        self._paced = paced
        if channel is not None and channel > self._file.channels:
            raise UsageError(f"{path} has {self._file.channels} channel(s), no channel {channel}.")
        self._channel = channel

    def blocks(self) -> Generator[Samples, None, None]:
        import soundfile

        size = max(1, round(BLOCK_S * self.sample_rate))
        began, frames = time.monotonic(), 0
        with self._file:
            while True:
                try:
                    block = self._file.read(size, dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, OSError) as error:
                    at = frames / self.sample_rate
                    raise InputError(
                        f"{self.path} is damaged: it cannot be read beyond {at:.1f} s ({error}). "
                        "What came before it was judged."
                    ) from error
                if not len(block):
                    break
                frames += len(block)
                if self._paced:
                    time.sleep(max(0.0, began + frames / self.sample_rate - time.monotonic()))
                yield _mono(block, self._channel)
        if not frames:
            raise InputError(f"{self.path} holds no audio: it has 0 samples.")


class Pipe:
    """Audio from a pipe, as it comes: WAV with PCM samples, or raw signed 16-bit mono."""

    live = False
    late_s = 0.0
    name = "stdin"

    def __init__(self, file: BinaryIO, *, channel: int | None = None, raw_rate: int | None = None) -> None:
        if file.isatty():
            raise UsageError(
                "`listen -` reads audio from a pipe: ffmpeg -i talk.mp4 -f wav - | noisewatch listen -"
            )
        self._wav: wave.Wave_read | None = None
        self._file = file
        self._channels, self._width = 1, 2
        if raw_rate is not None:
            if not 1_000 <= raw_rate <= 768_000:
                raise UsageError(f"--raw-rate is {raw_rate} Hz; allowed: 1000 to 768000.")
            self.sample_rate = raw_rate
        else:
            try:
                self._wav = wave.open(file, "rb")  # noqa: SIM115 (stdin is not ours to close)
            except (wave.Error, EOFError) as error:
                what = str(error) or "it ends before its header does"
                raise InputError(
                    f"stdin is no WAV with PCM samples ({what}). Make one: ffmpeg -i INPUT -f wav - | "
                    "noisewatch listen -; or say what it is: --raw-rate 48000 for raw signed 16-bit mono."
                ) from error
            self.sample_rate = self._wav.getframerate()
            self._channels, self._width = self._wav.getnchannels(), self._wav.getsampwidth()
        if channel is not None and channel > self._channels:
            raise UsageError(f"stdin has {self._channels} channel(s), no channel {channel}.")
        self._channel = channel

    def blocks(self) -> Generator[Samples, None, None]:
        frame = self._channels * self._width
        size = max(1, round(BLOCK_S * self.sample_rate))
        heard = False
        while True:
            data = self._wav.readframes(size) if self._wav else self._file.read(size * frame)
            data = data[: len(data) // frame * frame]
            if not data:
                break
            heard = True
            yield _mono(_pcm(data, self._width).reshape(-1, self._channels), self._channel)
        if not heard:
            raise InputError("stdin ended before it held any audio. Check the command in front of the pipe.")


def _mono(block: Samples, channel: int | None) -> Samples:
    """(n, channels) -> (n,): one channel, counted from 1, or the mean of all."""
    if channel is not None:
        return np.ascontiguousarray(block[:, channel - 1])
    return np.asarray(block[:, 0] if block.shape[1] == 1 else block.mean(axis=1), np.float32)


def _pcm(data: bytes, width: int) -> Samples:
    """Little-endian PCM of 1 (unsigned), 2, 3 or 4 bytes a sample -> float32 in -1..1."""
    if width == 1:
        return np.asarray((np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128, np.float32)
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return np.asarray(wide.reshape(-1).view("<i4") / np.float32(2**31), np.float32)
    return np.asarray(np.frombuffer(data, f"<i{width}") / np.float32(2 ** (8 * width - 1)), np.float32)


def _unreadable(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return f"{path} is empty (0 bytes)."
    if path.suffix.lower() in VIDEO:
        return (
            f"{path} is a container that libsndfile does not read. Let ffmpeg open it: "
            f"ffmpeg -v error -i {path} -f wav - | noisewatch listen -"
        )
    reason = str(error).rpartition(":")[2].strip() or type(error).__name__
    return f"{path} is no audio that can be read ({reason}). Readable: WAV, FLAC, OGG, Opus, MP3, AIFF, W64."
