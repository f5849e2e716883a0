"""Recordings and pipes as the field makes them: what is judged of each, and what is said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO

from noisewatch.decoders import open_pipe
from noisewatch.errors import InputError
from noisewatch.sources import Recording, open_recording

RATE = 16_000


def heard(source: Recording) -> tuple[np.ndarray, str]:
    """All that a source gives, and what it says in the end."""
    blocks: list[np.ndarray] = []
    try:
        blocks += [block for block in source.blocks() if block is not None]
    except InputError as error:
        return np.concatenate([*blocks, np.zeros(0, np.float32)]), str(error)
    return np.concatenate(blocks), ""


def from_file(path: Path) -> Recording:
    return open_recording(path, path.name)


@pytest.fixture
def from_pipe() -> Iterator[Callable[[Path], Recording]]:
    """Opens a file through a real pipe."""
    writers: list[subprocess.Popen[bytes]] = []

    def opened(path: Path) -> Recording:
        writer = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        writers.append(writer)
        assert writer.stdout is not None
        return Recording(open_pipe(writer.stdout.fileno(), "stdin"), "stdin")

    yield opened
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
        writer.wait(10)


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """Four seconds of a voice, stereo, the second side softer."""
    samples, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    return np.stack([samples, samples * 0.5], 1)


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
)
def test_a_pipe_gives_the_samples_of_the_file(clip: np.ndarray, tmp_path: Path, from_pipe, subtype: str):
    tried = 0
    for form in ("WAV", "WAVEX", "RF64", "W64", "AU", "AIFF", "CAF"):
        for endian in ("FILE", "LITTLE", "BIG"):
            if not sf.check_format(form, subtype, endian):
                continue
            path = tmp_path / f"{form}-{endian}"
            sf.write(path, clip, RATE, subtype, endian, form)
            if path.stat().st_size > 1000:
                tried += 1
                want, got = heard(from_file(path)), heard(from_pipe(path))
                assert want[1] == got[1] == ""
                assert np.array_equal(want[0], got[0]), path.name
    assert tried >= 3
