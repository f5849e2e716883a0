import numpy as np
import pytest

from noisewatch.audio.highpass import HighPass, high_passed
from noisewatch.audio.logmel import FrontendConfig


@pytest.mark.parametrize("size", [1, 159, 160, 1601, 12_345])
def test_any_chunking_is_filtered_to_the_same_bits(size: int, voice: np.ndarray):
    clip = voice[:48_000] if size > 1 else voice[:4_000]
    whole = HighPass().feed(clip)
    assert len(whole) == len(clip)
    stream = HighPass()
    parts = [stream.feed(clip[i : i + size]) for i in range(0, len(clip), size)]
    filtered = np.concatenate(parts)
    np.testing.assert_array_equal(filtered, whole[: len(filtered)])
    assert len(whole) - len(filtered) < 160
    np.testing.assert_array_equal(high_passed(clip[:4_001])[:4_000], whole[:4_000])


def test_the_high_pass_removes_infrasound_and_nothing_else():
    time = np.arange(5 * 16_000) / 16_000

    def gain_db(hz: float) -> float:
        tone = np.sin(2 * np.pi * hz * time).astype(np.float32)
        return 20 * float(np.log10(HighPass().feed(tone)[16_000:].std() / tone[16_000:].std()))

    assert gain_db(10) < -12
    assert all(gain_db(hz) == pytest.approx(0, abs=0.5) for hz in (50, 100, 1_000, 7_900))
    offset = HighPass().feed(np.full(48_000, 0.5, np.float32))
    assert np.abs(offset).max() < 1e-12  # from the first sample on: no click
    plain = HighPass(FrontendConfig(highpass_hz=0))
    np.testing.assert_array_equal(plain.feed(tone := np.sin(time[:480]).astype(np.float32)), tone)
