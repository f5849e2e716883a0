"""The threshold of a room: chosen for a budget, with its cost in missed noise."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from noisewatch import NoiseDetector
from noisewatch.core.events import Reading
from noisewatch.errors import InputError
from noisewatch.tasks import threshold
from noisewatch.tasks.false_alarms import alarms, poisson_interval
from noisewatch.tasks.threshold import RoomRecording, choose

HOP = 0.1


@cache
def room(seconds: float, seed: int, *, mean: float = -2.0, spread: float = 1.0) -> list[Reading]:
    """Readings of a room whose logits wander about a mean; neighbours are alike, as windows that overlap are."""
    rng = np.random.default_rng(seed)
    count = round(seconds / HOP)
    white = rng.standard_normal(count + 20)
    logits = mean + spread * np.convolve(white, np.ones(20) / math.sqrt(20), "valid")[:count]
    noise = 1 / (1 + np.exp(-logits))
    return [Reading(3 + i * HOP, float(p), None, 0.9, -20.0, "clean") for i, p in enumerate(noise)]


def test_minutes_without_an_alarm_keep_the_models_threshold():
    """So little audio cannot prove a lower one, and no alarm calls for a higher one."""
    assert choose([room(46, 1, mean=-1, spread=0.5)], 1.0, HOP, 0.9) == 0.9
    assert choose([room(60, 1, mean=-5)], 60.0, HOP, 0.7) == 0.7


def test_an_alarm_at_the_models_threshold_raises_it_no_further_than_needed():
    lively = [room(60, 1, mean=1)]
    chosen = choose(lively, 1.0, HOP, 0.7)
    assert chosen is not None
    assert alarms(lively, 0.7, HOP) > 0
    assert alarms(lively, chosen, HOP) == 0
    assert alarms(lively, round(chosen - 0.01, 2), HOP) > 0


def test_hours_lower_the_threshold_but_never_below_off():
    assert choose([room(5 * 3600, 1, mean=-5)], 1.0, HOP, 0.9) == pytest.approx(0.7)
    assert (
        choose([room(3 * 3600, 1, mean=-5)], 1.0, HOP, 0.9) == 0.9
    )  # no alarm in 3 h is compatible with 1.2 an hour


def test_a_noisy_room_gets_none():
    assert choose([room(60, 1, mean=4)], 1.0, HOP, 0.7) is None


@pytest.mark.parametrize(
    ("recordings", "sentence"),
    [
        ([room(10, 1)], r"10\.0 s could be judged.*15 s or more"),
        ([room(0.2, 1)] * 80, "no recording is long enough"),
    ],
)
def test_too_little_audio_gets_no_threshold(recordings: list[list[Reading]], sentence: str):
    with pytest.raises(InputError, match=sentence):
        choose(recordings, 1.0, HOP, 0.7)


@pytest.mark.parametrize("budget", [6.0, 60.0])
def test_the_promised_rate_holds_in_hours_that_it_was_not_chosen_on(budget: float):
    """Chosen in one hour, counted in ten others: within the error of both counts."""
    chosen = choose([room(3600, 1)], budget, HOP, 0.3)
    assert chosen is not None
    called = alarms([room(5 * 3600, seed) for seed in (2, 3)], chosen, HOP)
    low, high = poisson_interval(called)
    assert (
        low / 10 < poisson_interval(math.floor(budget))[1]
    )  # consistent with the alarms counted in the first hour
    assert high / 10 > 0.2 * budget  # and it is not far stricter than requested


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "no window"), (0.01, "almost no window"), (1 / 6, "about 1 window in 6"),
        (0.8, "about 4 windows in 5"), (0.5, "about 1 window in 2"), (0.43, "about 2 windows in 5"),
        (0.99, "almost every window"),
        (1.0, "every window"),
    ],
)  # fmt: skip
def test_a_share_in_words(share: float, expected: str):
    assert threshold.share_in_words(share) == expected


def test_what_a_threshold_costs_is_measured_behind_the_voice(voice: np.ndarray):
    detector = NoiseDetector()
    readings = detector.stream().push(voice)
    low, high = threshold.hit_rates(detector, [RoomRecording(readings, voice)], (0.9, 0.99)) or (0.0, 1.0)
    assert low > 0.8
    assert high < low - 0.2
    quiet = (np.random.default_rng(0).standard_normal(64_000) * 1e-4).astype(np.float32)
    assert threshold.hit_rates(detector, [RoomRecording(detector.stream().push(quiet), quiet)], (0.9,)) is None
