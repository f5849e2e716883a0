"""Decoding of sample formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from sound_files import RATE, from_file, from_pipe, heard


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """4 s of a voice in stereo (n, 2), the right channel softer."""
    samples, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    return np.stack([samples, samples * 0.5], 1)


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
)
def test_a_pipe_gives_the_samples_of_the_file(clip: np.ndarray, tmp_path: Path, subtype: str):
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
