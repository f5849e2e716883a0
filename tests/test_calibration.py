"""A threshold for a room, within a budget of false alarms."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO

from noisewatch import calibration
from noisewatch.calibration import Calibration, alarms, choose
from noisewatch.errors import InputError
from noisewatch.events import Reading
from noisewatch.model import DEFAULT, Model

HOP = 0.1


def room(seconds: float, seed: int, *, mean: float = -2.0, spread: float = 1.0) -> list[Reading]:
    """Readings of a room whose logits wander about a mean; neighbours are alike, as windows that overlap are."""
    rng = np.random.default_rng(seed)
    count = round(seconds / HOP)
    white = rng.standard_normal(count + 20)
    logits = mean + spread * np.convolve(white, np.ones(20) / math.sqrt(20), "valid")[:count]
    noise = 1 / (1 + np.exp(-logits))
    return [Reading(3 + i * HOP, float(p), None, 0.9, -20.0, "clean") for i, p in enumerate(noise)]


def test_a_quiet_room_keeps_the_models_threshold():
    assert choose([room(60, 1, mean=-5)], 1.0, HOP, 0.7) == 0.7


def test_a_lively_room_gets_a_higher_one():
    assert 0.75 < (choose([room(60, 1, mean=-1)], 1.0, HOP, 0.7) or 0) <= 0.99


def test_a_noisy_room_gets_none():
    assert choose([room(60, 1, mean=4)], 1.0, HOP, 0.7) is None


def test_too_little():
    with pytest.raises(InputError, match=r"10\.0 s could be judged.*15 s or more"):
        choose([room(10, 1)], 1.0, HOP, 0.7)


@pytest.mark.parametrize("budget", [2.0, 20.0])
def test_the_promised_rate_holds_in_hours_that_it_was_not_chosen_on(budget: float):
    """Chosen on three hours, counted in thirty others: within the error of both counts."""
    threshold = choose([room(3 * 3600, 1)], budget, HOP, 0.3)
    assert threshold is not None
    called = alarms([room(10 * 3600, seed) for seed in (2, 3, 4)], threshold, HOP)
    low, high = calibration.poisson_interval(called)
    most = calibration.poisson_interval(math.floor(3 * budget))[1] / 3  # that may hide behind what was counted
    assert low / 30 < most
    assert high / 30 > 0.2 * budget  # and it is not far more careful than it was asked to be


def test_minutes_are_extrapolated_with_care():
    """From 60 s no rate is known; over many rooms the budget is kept, or nearly."""
    rates = []
    for seed in range(12):
        threshold = choose([room(60, seed)], 5.0, HOP, 0.3)
        if threshold is not None:
            rates.append(alarms([room(3600, 100 + seed)], threshold, HOP))
    assert len(rates) >= 10
    assert np.median(rates) <= 5


def test_provisional_until_enough_was_heard():
    fresh = Calibration("mic", "tcn", HOP, 0.8, 1.0, "2026-01-01", 60.0)
    assert fresh.provisional
    assert "provisional until" in fresh.sentence()
    hour = fresh.after(3600, 0)
    assert hour.rate == (0.0, 0.0, pytest.approx(3.689, abs=1e-3))
    assert hour.provisional  # no alarm in one hour may still be three an hour
    assert not hour.after(3 * 3600, 0).provisional
    assert "4.0 h" in hour.after(3 * 3600, 0).sentence()
    assert hour.after(3 * 3600, 3).provisional


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


def test_from_recordings_without_a_device(run, home, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=6 * 16_000)
    clean = tmp_path / "room.flac"
    sf.write(clean, np.tile(samples, 4), rate)
    if run("devices").returncode == 0:
        pytest.skip("there is an input device")
    done = run("calibrate", "--from", clean, env=home)
    assert done.returncode == 0, done.stderr
    found = re.match(r"threshold (0\.\d\d): 0 alarms in 21 s, so 0\.0 to ", done.stdout)
    assert found is not None
    assert Model(DEFAULT).card.threshold <= float(found[1]) <= 0.99
    assert "not stored" in done.stdout
    assert not (tmp_path / "noisewatch").exists()


def test_a_noisy_room_is_told(run, home):
    done = run("calibrate", "--from", DEMO, env=home)
    assert done.returncode == 3
    assert "no threshold keeps false alarms within 1 an hour" in done.stderr


@pytest.mark.parametrize(
    "wrong", [("--max-false-alarms", "often"), ("--max-false-alarms", "0"), ("--seconds", "5")]
)
def test_usage(run, wrong):
    done = run("calibrate", *wrong)
    assert done.returncode == 2
    assert "allowed" in done.stderr


def test_the_life_of_a_calibration(run, microphone, tmp_path: Path):
    """Recorded, shown, used, counted, ignored, forgotten."""
    env = {**microphone.env, "XDG_STATE_HOME": str(tmp_path)}
    samples, rate = sf.read(DEMO, dtype="float32", frames=6 * 16_000)
    sf.write(tmp_path / "voice.wav", np.tile(samples, 8), rate)
    with microphone.play(tmp_path / "voice.wav") as player:
        done = run("calibrate", "--device", "pulse", "--seconds", "30", env=env, timeout=90)
        assert done.returncode == 0, done.stderr
        assert "Speak as you usually do for 15 s" in done.stderr
        assert "Say nothing for 15 s" in done.stderr
        assert "stored for pulse" in done.stdout
        assert "provisional" in done.stdout
        kept = tmp_path / "noisewatch" / "calibrations.json"
        stored = json.loads(kept.read_text())
        stored["pulse"]["threshold"] = 0.93
        kept.write_text(json.dumps(stored))
        heard = run("listen", "--device", "pulse", "--seconds", "5", "--json", env=env)
        assert "threshold 0.93, calibrated" in heard.stderr
        assert "0 noises called in 0.0 h" in heard.stderr
        ignored = run("listen", "--device", "pulse", "--seconds", "4", "--json", "--no-calibration", env=env)
        assert "calibrated" not in ignored.stderr
        player.terminate()
    assert json.loads(kept.read_text())["pulse"]["heard_s"] == pytest.approx(5, abs=0.5)
    listed = {d["name"]: d for d in map(json.loads, run("devices", "--json", env=env).stdout.splitlines())}
    assert listed["pulse"]["calibration"]["threshold"] == 0.93
    assert "threshold 0.93" in run("devices", env={**env, "COLUMNS": "200"}).stdout
    assert run("calibrate", "--reset", "--device", "pulse", env=env).returncode == 0
    assert json.loads(kept.read_text()) == {}
    assert run("calibrate", "--reset", "--device", "pulse", env=env).returncode == 2
    kept.write_text("{broken")
    broken = run("devices", env=env)
    assert broken.returncode == 6
    assert "Repair or delete it" in broken.stderr
