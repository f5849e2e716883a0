"""The downmix of several channels to one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from sound_files import RATE, from_file, from_pipe, heard

from noisewatch.audio.downmix import Downmix


@pytest.mark.parametrize(
    ("left", "right", "judged"),
    [
        (1.0, -1.0, "left"),
        (0.6, -1.0, "right"),
        (-1.0, 0.8, "left"),
        (1.0, 1.0, "mean"),
        (1.0, 0.0, "mean"),
        (1.0, -0.2, "mean"),
    ],
)
def test_the_loudest_of_cancelling_channels_is_used(tmp_path: Path, left: float, right: float, judged: str):
    voice, _ = sf.read(DEMO, dtype="float32", frames=8 * RATE)
    hiss = np.random.default_rng(0).standard_normal((len(voice), 2)) * 1e-4
    both = (np.stack([voice * left, voice * right], 1) + hiss).astype(np.float32)
    path = tmp_path / "a.wav"
    sf.write(path, both, RATE, "FLOAT")
    samples, error = heard(source := from_file(path))
    want = {"left": both[:, 0], "right": both[:, 1], "mean": both.mean(axis=1)}[judged]
    assert error == ""
    assert source.notes == ([] if judged == "mean" else ["cancelled"])
    began = (
        0 if judged == "mean" else int(np.abs(voice).argmax())
    )  # the clip begins with silence, for which the mean is as good
    assert np.array_equal(samples[began:], want[began:])
    assert len(samples) == len(voice)
    assert np.array_equal(samples, heard(from_pipe(path))[0])


@pytest.mark.parametrize(
    ("gains", "offsets", "judged"),
    [((1, -1), (0.07, 0.07), 0), ((0.2, -0.2), (0.3, 0.3), 0), ((0.2, 0.2), (0.3, -0.3), None)],
)
def test_an_offset_neither_hides_nor_imitates_an_inverted_channel(gains, offsets, judged: int | None):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    both = (voice[:, None] * np.float32(gains) + np.float32(offsets)).astype(np.float32)
    mix = Downmix(2, RATE)
    mono = np.concatenate([mix.feed(both), mix.finish()])[RATE:]
    assert mix.cancelled == (judged is not None)
    assert np.array_equal(mono, (both.mean(axis=1) if judged is None else both[:, judged])[RATE:])
    flat = Downmix(2, RATE)
    flat.feed(np.full((RATE, 2), (0.3, -0.3), np.float32))
    assert not flat.cancelled


def test_a_temporary_inversion_gives_the_same_in_any_chunking():
    voice, _ = sf.read(DEMO, dtype="float32", frames=12 * RATE)
    sign = np.where((np.arange(len(voice)) // (3 * RATE)) % 2, -1, 1)
    both = np.stack([voice, voice * sign], 1).astype(np.float32)
    rng, results = np.random.default_rng(0), []
    for pieces in (1, 2, 50, 3000):
        mix = Downmix(2, RATE)
        cuts = np.sort(rng.integers(0, len(both), pieces - 1))
        parts = [mix.feed(part) for part in np.split(both, cuts)]
        results.append(np.concatenate([*parts, mix.finish()]))
        assert mix.cancelled
    assert all(np.array_equal(results[0], other) for other in results)
    assert np.abs(results[0]).max() <= np.abs(voice).max()  # a crossfade does not raise the peak
    inverted = slice(11 * RATE, 12 * RATE)  # a second after the change
    assert np.array_equal(results[0][inverted], voice[inverted])
