"""What holds for `push` whatever it is given: any rate, type, layout, chunking and content."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noisewatch import NoiseDetector, Reading
from noisewatch.errors import InputError

RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
TYPES = ("int16", ">i2", "float16", "float32", "float64", ">f4", "longdouble")
CONTENTS = ("silence", "denormal", "hiss", "loud", "tone", "steps")
few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def small() -> NoiseDetector:
    return NoiseDetector("tcn")


def samples_of(content: str, count: int, seed: int) -> np.ndarray:
    """Samples (count,) float64 in -1..1."""
    rng = np.random.default_rng(seed)
    if content == "silence":
        return np.zeros(count)
    if content == "denormal":
        return rng.uniform(-1, 1, count) * 1e-41
    if content == "hiss":
        return np.clip(rng.normal(0, 0.01, count), -1, 1)
    if content == "loud":
        return np.sign(rng.normal(size=count))
    if content == "tone":
        return 0.5 * np.sin(np.arange(count) * rng.uniform(0.001, 3))
    return np.repeat(rng.uniform(-1, 1, count // 500 + 1), 500)[:count]


def typed(samples: np.ndarray, kind: str) -> np.ndarray:
    """As an array of this type."""
    if np.dtype(kind).kind == "i":
        return np.round(samples * 32767).astype(kind)
    return samples.astype(kind)


def laid_out(samples: np.ndarray, layout: str) -> Any:
    """The same samples, read-only, not contiguous, or as a list."""
    if layout == "read-only":
        samples = samples.copy()
        samples.flags.writeable = False
    elif layout == "strided":
        samples = np.repeat(samples, 3)[::3]
    elif layout == "reversed":
        samples = samples[::-1].copy()[::-1]
    elif layout == "list":
        return samples.astype(np.float64).tolist() if samples.dtype.kind == "f" else samples
    return samples


def check(readings: list[Reading]) -> None:
    """No number is a NaN, and every probability is one."""
    for reading in readings:
        values = [reading.noise, reading.snr_db, reading.voice, reading.level_dbfs]
        assert all(value is None or math.isfinite(value) for value in values), reading
        assert all(value is None or 0 <= value <= 1 for value in (reading.noise, reading.voice)), reading
        assert (reading.noise is None) == (reading.reason is not None) == (reading.state == "unknown"), reading


@few
@given(
    rate=st.sampled_from(RATES),
    kind=st.sampled_from(TYPES),
    layout=st.sampled_from(["plain", "read-only", "strided", "reversed", "list"]),
    contents=st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=3),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    seed=st.integers(0, 2**16),
)
def test_any_chunking_of_any_samples(
    small: NoiseDetector, rate: int, kind: str, layout: str, contents: list[str], cuts: list[float], seed: int
):
    """The same readings, finite numbers, and a stream time that is the number of samples."""
    seconds = 4.3
    count = round(seconds * rate)
    parts = [samples_of(c, count // len(contents), seed + n) for n, c in enumerate(contents)]
    samples = typed(np.concatenate(parts), kind)
    whole, chunked = small.stream(hop=0.5), small.stream(hop=0.5)
    expected = whole.push(samples, sample_rate=rate)
    edges = sorted({0, len(samples), *(round(cut * len(samples)) for cut in cuts)})
    readings = []
    for start, end in pairwise(edges):
        readings += chunked.push(laid_out(samples[start:end], layout), sample_rate=rate)
        readings += chunked.push(laid_out(samples[:0], layout), sample_rate=rate)
    assert readings == expected
    for stream in (whole, chunked):
        last = [item for item in stream.finish() if isinstance(item, Reading)]
        check([*readings, *last])
        assert stream.time == pytest.approx(len(samples) / rate, abs=1 / 16_000)


@few
@given(
    rates=st.lists(st.sampled_from(RATES), min_size=2, max_size=5),
    content=st.sampled_from(CONTENTS),
    seed=st.integers(0, 2**16),
)
def test_rates_that_change_in_mid_stream(small: NoiseDetector, rates: list[int], content: str, seed: int):
    stream, seconds = small.stream(hop=0.5), 0.0
    readings = []
    for number, rate in enumerate(rates):
        count = round(rate * 1.1)
        readings += stream.push(samples_of(content, count, seed + number).astype(np.float32), sample_rate=rate)
        seconds += count / rate
    readings += [item for item in stream.finish() if isinstance(item, Reading)]
    check(readings)
    assert stream.time == pytest.approx(seconds, abs=len(rates) / 16_000)


@few
@given(
    bad=st.sampled_from([math.nan, math.inf, -math.inf, 1e30, 101.0]),
    at=st.integers(0, 15_999),
    kind=st.sampled_from(["float16", "float32", "float64"]),
)
def test_samples_that_are_no_numbers_are_refused_and_change_nothing(
    small: NoiseDetector, bad: float, at: int, kind: str
):
    hiss = samples_of("hiss", 16_000, at).astype(kind)
    spoiled = hiss.copy()
    with np.errstate(over="ignore"):
        spoiled[at] = bad
    stream, other = small.stream(hop=0.5), small.stream(hop=0.5)
    expected = [other.push(hiss) for _ in range(4)]
    found = [stream.push(hiss)]
    with pytest.raises(InputError):
        stream.push(spoiled)
    found += [stream.push(hiss) for _ in range(3)]
    assert found == expected
    check([reading for readings in found for reading in readings])
