import numpy as np
import pytest
import soxr

from noisewatch.audio.resampler import Resampler


def test_the_rate_of_the_signal_passes_unchanged(voice: np.ndarray):
    resampler = Resampler()
    np.testing.assert_array_equal(resampler.feed(voice, 16_000), voice)
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("size", [1, 441, 5_000])
def test_blocks_are_resampled_as_one_recording(voice: np.ndarray, size: int):
    other = soxr.resample(voice[:16_000], 16_000, 44_100)
    resampler = Resampler()
    parts = [resampler.feed(other[i : i + size], 44_100) for i in range(0, len(other), size)]
    found = np.concatenate([*parts, resampler.flush()])
    assert len(found) == pytest.approx(16_000, abs=1)
    np.testing.assert_allclose(found[:15_900], voice[:15_900], atol=1e-3)


def test_a_change_of_rate_loses_nothing():
    resampler = Resampler()
    parts = [resampler.feed(np.ones(rate, np.float32), rate) for rate in (48_000, 8_000, 16_000, 44_100)]
    assert len(np.concatenate([*parts, resampler.flush()])) == pytest.approx(4 * 16_000, abs=4)
