import numpy as np
import pytest

from noisewatch.audio import levels


def tone(amplitude: float, seconds: float = 1.0) -> np.ndarray:
    """A sine of 500 Hz: whole periods in every 20 ms frame."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    return (amplitude * np.sin(2 * np.pi * 500 * time)).astype(np.float32)


def test_full_scale_is_a_square_wave():
    assert levels.dbfs(1.0) == pytest.approx(0, abs=1e-6)
    assert levels.dbfs(float((tone(1.0) ** 2).mean())) == pytest.approx(-3.01, abs=0.01)
    assert levels.dbfs(0.0) == pytest.approx(-120)


def test_pauses_do_not_lower_the_active_level():
    with_pauses = np.concatenate([tone(0.1), np.zeros(32_000, np.float32), tone(0.001)])
    assert levels.active_rms(with_pauses) == pytest.approx(levels.active_rms(tone(0.1)))
    assert levels.active_seconds(with_pauses) == pytest.approx(1.0)
    assert levels.active_rms(np.zeros(16_000, np.float32)) == 0
    assert levels.active_seconds(np.zeros(16_000, np.float32)) == 0


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_the_snr_is_a_ratio_of_active_levels(gain: float):
    speech = np.concatenate([tone(0.5), np.zeros(16_000, np.float32)]) * np.float32(gain)
    assert levels.snr_db(speech, tone(0.05) * np.float32(gain)) == pytest.approx(20, abs=0.01)


def test_the_floor_is_the_level_of_the_pauses():
    assert levels.floor_db(np.concatenate([tone(0.5), tone(0.005)])) == pytest.approx(40, abs=0.1)
    assert levels.floor_db(tone(0.5)) == pytest.approx(0, abs=0.1)  # no pauses
    assert levels.floor_db(np.zeros(0, np.float32)) == 0
