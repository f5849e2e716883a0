"""Helpers that create sound files for the tests, and decode them as files and through pipes."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from noisewatch.decoding.decoders import open_pipe
from noisewatch.decoding.pipe import Pipe
from noisewatch.errors import InputError
from noisewatch.inputs.recording import Recording, open_recording

RATE = 16_000


CODECS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
    "wav": ("WAV", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "aiff": ("AIFF", "PCM_24"),
    "w64": ("W64", "PCM_U8"),
    "caf": ("CAF", "FLOAT"),
}


def heard(source: Recording) -> tuple[np.ndarray, str]:
    """All samples of a source, and the message of the error that ended it ("" if none)."""
    blocks, message = [np.zeros(0, np.float32)], ""
    try:
        for block in source.blocks():
            blocks.append(block)
    except InputError as error:
        message = str(error)
    return np.concatenate(blocks), message


def from_file(path: Path) -> Recording:
    """Open a file."""
    return open_recording(path, path.name)


def from_pipe(path: Path) -> Recording:
    """Open a file through a pipe that a thread writes to."""
    reader, writer = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writer, "wb") as pipe:
            pipe.write(path.read_bytes())

    threading.Thread(target=write, daemon=True).start()
    return Recording(open_pipe(Pipe(reader, "stdin", owned=True), "stdin"), "stdin")


def encoded(samples: np.ndarray, form: str, subtype: str, rate: int = RATE, **options: float) -> bytes:
    """Samples at 16 kHz, encoded as a file of a format and sample rate (Hz)."""
    file = io.BytesIO()
    mono = soxr.resample(samples, RATE, rate) if rate != RATE else samples
    with sf.SoundFile(file, "w", rate, mono.ndim, subtype, None, form, **options) as sound:
        sound.write(mono)
    return file.getvalue()


def id3(size: int) -> bytes:
    """An ID3 tag with a picture, as at the start of an MP3 file."""
    body = b"APIC" + struct.pack(">I", size) + b"\0\0" + np.random.default_rng(size).bytes(size)
    return b"ID3\x03\0\0" + bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0)) + body


def wav(size: int, samples: np.ndarray, rate: int, coding: str = "<i2", tag: int = 1) -> bytes:
    """A WAV file whose header promises `size` bytes of audio, regardless of the samples (n, channels)."""
    channels, width = samples.shape[1], width_of(coding)
    data = samples.astype("<i4" if coding == "s24" else coding).tobytes()
    if coding == "s24":
        data = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, :3].tobytes()
    head = struct.pack(
        "<IHHIIHH", 16, tag, channels, rate, rate * channels * width & 0xFFFFFFFF, channels * width, 8 * width
    )
    sizes = struct.pack("<I", size + 36 & 0xFFFFFFFF), struct.pack("<I", size)
    return b"RIFF" + sizes[0] + b"WAVEfmt " + head + b"data" + sizes[1] + data


def width_of(coding: str) -> int:
    """Bytes per sample."""
    return 3 if coding == "s24" else np.dtype(coding).itemsize
