"""When a stream gives readings, from samples of any type, rate and chunking."""

import numpy as np
import pytest
import soxr

import noisewatch
from noisewatch import InputError, NoiseDetector, UsageError


def test_the_first_reading_comes_at_exactly_48000_samples(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    assert stream.push(voice[:47_999]) == []
    (first,) = stream.push(voice[47_999:48_000])
    assert first.time == 3.0
    assert [r.time for r in stream.push(voice[48_000:51_200])] == [3.1, 3.2]


@pytest.mark.parametrize("size", [1, 159, 1600, 5000])
def test_any_chunking_gives_the_same_readings(detector: NoiseDetector, noisy_voice: np.ndarray, size: int):
    clip = noisy_voice[: 64_000 if size > 1 else 48_400]
    whole = detector.stream(hop=0.05 if size == 1 else 0.1).push(clip)
    stream = detector.stream(hop=0.05 if size == 1 else 0.1)
    parts = [r for i in range(0, len(clip), size) for r in stream.push(clip[i : i + size])]
    assert parts == whole
    assert len(whole) >= 1


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_any_rate_is_resampled(detector: NoiseDetector, noisy_voice: np.ndarray, rate: int):
    stream = detector.stream()
    other = soxr.resample(noisy_voice, 16_000, rate)
    readings = [r for i in range(0, len(other), 1000) for r in stream.push(other[i : i + 1000], sample_rate=rate)]
    readings += [r for r in stream.finish() if isinstance(r, noisewatch.Reading)]
    assert readings[-1].time == pytest.approx(6.0, abs=0.1)
    # At 8 kHz the noise loses the upper half of its band.
    tolerance = 0.3 if rate == 8_000 else 0.02
    assert readings[-1].noise == pytest.approx(detector.stream().push(noisy_voice)[-1].noise, abs=tolerance)


@pytest.mark.parametrize("dtype", [">i2", "<i2", ">f4", ">f8", "f2", np.longdouble])
def test_every_type_with_a_known_full_scale_is_the_same_audio(
    detector: NoiseDetector, voice: np.ndarray, dtype: np.typing.DTypeLike
):
    pcm = np.round(voice[:48_000] * 32768).astype(np.int16)
    plain = pcm / np.float32(32768)
    samples = pcm.astype(dtype) if np.dtype(dtype).kind == "i" else plain.astype(dtype)
    (found,), (expected,) = detector.stream().push(samples), detector.stream().push(plain)
    close = 0.01 if np.dtype(dtype).itemsize == 2 and np.dtype(dtype).kind == "f" else 0  # half precision
    assert (found.noise, found.level_dbfs) == pytest.approx((expected.noise, expected.level_dbfs), abs=close)


def test_a_short_stream_gets_one_reading_at_its_end(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    assert stream.push(voice[:20_000]) == []
    reading = stream.finish()[0]
    assert (reading.time, reading.warnings) == (1.25, ("short",))
    assert reading.noise is not None
    stream = detector.stream()
    stream.push(voice[:15_999])
    (reading,) = stream.finish()
    assert (reading.state, reading.reason) == ("unknown", "too_short")


def test_a_long_hop_leaves_nothing_unjudged_at_the_end(detector: NoiseDetector, voice: np.ndarray):
    hiss = np.random.default_rng(0).standard_normal(44_800).astype(np.float32) * 0.05
    stream = detector.stream(hop=3)
    assert [r.state for r in stream.push(voice[:48_000])] == ["clean"]
    stream.push(hiss)
    (reading, *events) = stream.finish()
    assert (reading.time, reading.state) == (5.8, "noisy")
    assert reading.level_dbfs == pytest.approx(-26, abs=0.5)  # of these 2.8 s
    assert [e.event for e in events] == ["noise_start", "noise_end"]


def test_rates_that_change_lose_no_time(detector: NoiseDetector):
    stream = detector.stream()
    for rate in (48_000, 44_100, 16_000, 8_000, 48_000, 22_050, 48_000) * 2:
        stream.push(np.zeros(rate, np.float32), sample_rate=rate)
    stream.finish()
    assert stream.time == pytest.approx(14, abs=0.001)


def test_a_stream_that_is_behind_skips_to_the_newest_window(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    (reading,) = [r for r in stream.process(voice, behind=True) if isinstance(r, noisewatch.Reading)]
    assert reading.time == 6.0
    assert reading.warnings[-1] == "late"
    assert stream.skipped == 30


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.array([0.0, np.nan] * 8, np.float32), "not finite"),
        (np.zeros((10, 2), np.float32), r"shape \(10, 2\)"),
        (np.zeros(10, np.int64), r"int64.*astype\(np\.int16\)"),
        (np.zeros(10, ">i4"), r"the samples are >i4.*push x / 2\*\*31"),
        (np.zeros(10, np.uint8), r"uint8.*\(x - 128\.0\) / 128"),
        (np.zeros(10, np.uint16), "uint16"),
        (np.zeros(10, np.complex64), "complex64"),
        (np.zeros(10, bool), "bool"),
        ([None, 0.1], "object"),
        ([[0.1], [0.1, 0.2]], "not an array"),
        (np.full(10, 20_000.0), r"reach 2e\+04.*-1\.\.1"),
        (np.full(10, 1e300), r"reach 1e\+300.*-1\.\.1"),
    ],
)
def test_wrong_samples_are_refused(detector: NoiseDetector, samples: np.ndarray, sentence: str):
    with pytest.raises(InputError, match=sentence):
        detector.stream().push(samples)


@pytest.mark.parametrize("rate", ["48000", None, float("nan"), 0, True])
def test_wrong_rates_are_refused(detector: NoiseDetector, rate: object):
    with pytest.raises((UsageError, InputError), match=r"sample rate is .*; allowed: (a number|1000 to 768000)"):
        detector.stream().push(np.zeros(10, np.float32), sample_rate=rate)
