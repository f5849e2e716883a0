"""Gaps in live audio, by the arrival times of its blocks."""

from __future__ import annotations

import numpy as np
import pytest

from noisewatch.inputs.gaps import Arrivals


def lost_in(*parts: tuple[float, float]) -> float:
    """Return the seconds reported as lost in blocks of 50 ms. parts: duration of audio, delay before it (s)."""
    arrivals, now, lost, blocks = Arrivals(1_000), 0.0, 0.0, 0
    for seconds, delay in parts:
        now += delay
        for _ in range(round(seconds / 0.05)):
            now += 0.05
            arrivals.add(now, np.zeros(50, np.float32))
            taken, lost_s, _ = arrivals.take(now)
            blocks += len(taken)
            lost += lost_s
    assert blocks == sum(round(seconds / 0.05) for seconds, _ in parts)
    return lost


@pytest.mark.parametrize(
    ("parts", "lost"),
    [
        ([(8, 0)], 0),
        ([(4, 0), (4, 1.8)], 1.8),
        ([(4, 0), (4, 0.25)], 0),
        ([(2, 0), (1, 0.1), (1, 0.1), (1, 0.1), (2, 0.1)], 0.4),
        ([(8, 0.1)] * 6, 0),  # a slow clock
        ([(4, 0), (0.3, 0.6), (4, -0.6)], 0),  # late, but complete
        ([(4, 0), (0.3, 2.0), (4, -1.0)], 1.0),  # late, and incomplete
        ([(4, 0), (4, 60)], 60),
    ],
)
def test_lost_audio_is_distinguished_from_late_audio(parts: list[tuple[float, float]], lost: float):
    assert lost_in(*parts) == pytest.approx(lost, abs=0.02)
