"""Poisson intervals, and rates in words."""

from __future__ import annotations

import pytest

from noisewatch.tasks.false_alarms import poisson_interval, rate_in_words


@pytest.mark.parametrize(
    ("count", "interval"),  # quantiles of the chi-square distribution: Garwood's intervals
    [
        (0, (0, 3.688879)), (1, (0.025318, 5.571643)), (3, (0.618672, 8.767273)), (10, (4.795389, 18.390356)),
        (100, (81.363991, 121.626794)), (101, (82.266159, 122.724156)), (1000, (938.973018, 1063.952136)),
    ],
)  # fmt: skip
def test_poisson_intervals(count: int, interval: tuple[float, float]):
    assert poisson_interval(count) == pytest.approx(interval, rel=3e-5)


def test_ten_thousand_alarms_cost_nothing():
    low, high = poisson_interval(10_000)
    assert (low + high) / 2 == pytest.approx(10_001.4, abs=0.1)
    low, high = poisson_interval(10**12)  # in closed form: a sum over so many would not end
    assert high - low == pytest.approx(2 * 1.96e6, rel=1e-3)


@pytest.mark.parametrize(
    ("count", "seconds", "expected"),
    [
        (0, 1690, "no alarm, at most 7.9 an hour, from 28 min 10 s"),
        (1, 46, "1 alarm, 2 to 436 an hour, from 46 s"),
        (7, 3600, "7 alarms, 2.8 to 14 an hour, from 1 h 0 min"),
    ],
)
def test_an_interval_in_words(count: int, seconds: float, expected: str):
    assert rate_in_words(count, seconds) == expected
