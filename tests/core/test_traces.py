"""Traces that lines, codecs and cables leave in a voice. How many are found: benchmarks/input_warnings.py."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf
import soxr
from conftest import DEMO

from noisewatch import NoiseDetector
from noisewatch.core.events import Reading

RATE = 16_000


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """9 s of a clean voice with pauses."""
    samples, _ = sf.read(DEMO, dtype="float32", frames=9 * RATE)
    return samples


def readings(detector: NoiseDetector, samples: np.ndarray, gap_at: int | None = None) -> list[Reading]:
    stream = detector.stream(hop=0.5)
    items = stream.process(samples[:gap_at])
    if gap_at is not None:
        items += stream.lose("gap", 1.0) + stream.process(samples[gap_at:])
    return [item for item in [*items, *stream.finish()] if isinstance(item, Reading)]


def test_an_ordinary_voice_has_none(detector: NoiseDetector, spoken: np.ndarray):
    found = readings(detector, spoken)
    assert len(found) == 13
    assert {r.warnings for r in found} == {()}
    assert {r.hum_hz for r in found} == {None}


@pytest.mark.parametrize("level_db", [0, -20])
def test_a_telephone(detector: NoiseDetector, spoken: np.ndarray, level_db: float):
    """Told within a window, also in a pause of 3 s; not any more once a full band is back."""
    line = np.random.default_rng(0).normal(0, 3e-4, 4 * RATE)
    slow = soxr.resample(soxr.resample(np.concatenate([spoken, line]), RATE, 8000), 8000, RATE)
    samples = np.concatenate([slow, spoken]) * 10 ** (level_db / 20)
    found = readings(detector, (np.round(samples * 32768) / 32768).astype(np.float32))
    told = ["band_limited" in r.warnings for r in found]
    assert all(told[:20])
    assert not any(told[-10:])


@pytest.mark.parametrize("mains", [50, 60])
def test_hum(detector: NoiseDetector, spoken: np.ndarray, mains: int):
    """Off by the 0.2 % that a grid may be, 25 dB below the voice; forgotten after a gap."""
    time_s = np.arange(len(spoken)) / RATE
    lines = sum(np.sin(2 * np.pi * mains * 1.002 * k * time_s + k) / k for k in (1, 2, 3))
    hums = (spoken + 0.0045 * lines).astype(np.float32)
    found = readings(detector, hums)
    assert all("hum" in r.warnings and r.hum_hz == mains for r in found[2:])
    after = readings(detector, np.concatenate([hums, spoken]), gap_at=len(hums))[len(found) + 1 :]
    assert len(after) > 10
    assert {r.hum_hz for r in after} == {None}


def test_automatic_gain_control(detector: NoiseDetector, spoken: np.ndarray):
    """A gain that rises by 15 dB/s in pauses, to 18 dB. The pauses alone are no sign, nor is a breath."""
    rng = np.random.default_rng(0)
    word, pause = spoken[2 * RATE : 4 * RATE], 3 * RATE // 2
    floor = rng.normal(0, 10 ** (-70 / 20), pause).astype(np.float32)
    rising = (floor * 10 ** (np.minimum(15 * np.arange(pause) / RATE, 18) / 20)).astype(np.float32)
    ridden = readings(detector, np.concatenate([word, rising] * 4))
    assert all("gain_riding" in r.warnings for r in ridden[-8:])
    steady = readings(detector, np.concatenate([word, floor] * 4))
    assert not any("gain_riding" in r.warnings for r in steady)
    hiss = np.convolve(rng.normal(0, 1, pause), np.ones(4) / 4, "same")  # its low half alone grows
    breath = (floor + hiss * 10 ** ((-75 + 15 * np.arange(pause) / RATE) / 20)).astype(np.float32)
    once = readings(detector, np.concatenate([word, breath, word, floor, word, floor, word]))
    assert not any("gain_riding" in r.warnings for r in once)


def test_an_offset_and_an_input_that_is_muted(detector: NoiseDetector, spoken: np.ndarray):
    shifted = readings(detector, spoken * 0.5 + np.float32(-0.02))
    assert all("dc" in r.warnings for r in shifted)
    hiss = np.random.default_rng(0).standard_normal(len(spoken)).astype(np.float32)
    assert {r.reason for r in readings(detector, hiss * 10 ** (-92 / 20))} == {"muted"}
    faint = spoken * 10 ** (-40 / 20)  # a voice at a low gain, and 5 s of its room
    floor = np.tile(faint[-RATE // 2 :], 10)
    assert "muted" not in {r.reason for r in readings(detector, np.concatenate([faint, floor]))}


def subtracted(samples: np.ndarray, floor_db: float) -> np.ndarray:
    """The samples after spectral subtraction; the first second is noise, and gains end at `floor_db`."""
    window = np.sqrt(np.hanning(513)[:-1])
    padded = np.pad(samples, 512)
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, 512)[::256] * window)
    power = np.abs(spectra) ** 2 + 1e-12
    gains = np.sqrt(np.maximum(1 - 2 * power[4:60].mean(0) / power, 10 ** (floor_db / 10)))
    made = np.zeros(len(padded) + 512)
    for number, frame in enumerate(np.fft.irfft(gains * spectra) * window):
        made[number * 256 : number * 256 + 512] += frame
    return made[512 : 512 + len(samples)].astype(np.float32)


@pytest.mark.parametrize("level_db", [0, -20])
def test_a_noise_suppressor(detector: NoiseDetector, spoken: np.ndarray, level_db: float):
    """Told after 4 s of any chunks, and not of the noise that was there before; forgotten after a gap."""
    rng = np.random.default_rng(0)
    noisy = np.concatenate([np.zeros(RATE), spoken]) + rng.normal(0, 0.01, RATE + len(spoken))
    noisy = (noisy * 10 ** (level_db / 20)).astype(np.float32)
    made = subtracted(noisy, -30)[RATE:]
    found = readings(detector, made)
    assert all("suppressed" in r.warnings for r in found[3:] if r.spoken)
    stream = detector.stream(hop=0.5)
    chunked = [r for start in range(0, len(made), 1234) for r in stream.push(made[start : start + 1234])]
    assert chunked == found[: len(chunked)]
    assert not any("suppressed" in r.warnings for r in readings(detector, noisy))
    after = readings(detector, np.concatenate([made, spoken]), gap_at=len(made))[len(found) + 1 :]
    assert len(after) > 10
    assert not any("suppressed" in r.warnings for r in after)
