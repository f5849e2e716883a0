"""A session on sources that are made up: what `seconds` counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from noisewatch import NoiseDetector, Reading
from noisewatch.core.session import Session
from noisewatch.inputs.source import Gone, Lost


class Scripted:
    """A live source that sends what it is given, and then audio without end."""

    name, live, pauses, drops, late_s, notes = "made up", True, False, 0, 0.0, ()

    def __init__(self, rate: int, script: Sequence[object]) -> None:
        self.sample_rate, self._script = rate, script
        self.sent_s = 0.0  # of audio, gaps and ticks

    def blocks(self) -> Iterator[object]:
        block = np.full(self.sample_rate // 20, 0.01, np.float32)
        for item in [*self._script, *[block] * 2000]:
            if isinstance(item, np.ndarray):
                self.sent_s += len(item) / self.sample_rate
            yield item
            assert self.sent_s < 90, "it did not end"

    def close(self) -> None:
        pass


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("gap_s", [0.310001, 0.77777, 1.00003, np.pi / 3])
def test_seconds_end_it_after_a_gap_of_any_length(detector: NoiseDetector, rate: int, gap_s: float):
    audio = [np.full(rate // 20, 0.01, np.float32)] * 20
    source = Scripted(rate, [*audio, Lost(gap_s)])
    stream = detector.stream(hop=0.5)
    list(Session(source, stream, seconds=4))
    assert stream.time == pytest.approx(4, abs=0.001)
    assert source.sent_s == pytest.approx(4 - gap_s, abs=0.06)


def test_time_without_a_device_counts_once(detector: NoiseDetector):
    """4 s of audio, 5 s gone, and audio again: of 20 s, 11 are left."""
    audio = [np.full(800, 0.01, np.float32)] * 80
    source = Scripted(16_000, [*audio, *[Gone()] * 21, Lost(5.0)])
    stream = detector.stream(hop=0.5)
    items = list(Session(source, stream, seconds=20))
    assert stream.time == pytest.approx(20, abs=0.001)
    assert source.sent_s == pytest.approx(15, abs=0.06)
    reasons = [item.reason for item in items if isinstance(item, Reading)]
    assert reasons.count("disconnected") == 6  # at once, and then every second


def test_a_device_that_never_comes_back_uses_up_the_time(detector: NoiseDetector):
    source = Scripted(16_000, [np.full(16_000, 0.01, np.float32), *[Gone()] * 1000])
    items = list(Session(source, detector.stream(), seconds=5))
    reasons = [item.reason for item in items if isinstance(item, Reading)]
    assert reasons.count("disconnected") in (4, 5)
    assert source.sent_s == 1
