"""A threshold for a room, within a budget of false alarms."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines
from typer.testing import CliRunner

from noisewatch import NoiseDetector
from noisewatch.cli.base import app
from noisewatch.cli.calibrate import _per_hour
from noisewatch.core.events import Reading
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT
from noisewatch.errors import InputError
from noisewatch.tasks import calibrations, threshold
from noisewatch.tasks.calibrations import Calibration
from noisewatch.tasks.false_alarms import alarms, poisson_interval, rate_in_words
from noisewatch.tasks.threshold import Room, choose

HOP = 0.1


def room(seconds: float, seed: int, *, mean: float = -2.0, spread: float = 1.0) -> list[Reading]:
    """Readings of a room whose logits wander about a mean; neighbours are alike, as windows that overlap are."""
    rng = np.random.default_rng(seed)
    count = round(seconds / HOP)
    white = rng.standard_normal(count + 20)
    logits = mean + spread * np.convolve(white, np.ones(20) / math.sqrt(20), "valid")[:count]
    noise = 1 / (1 + np.exp(-logits))
    return [Reading(3 + i * HOP, float(p), None, 0.9, -20.0, "clean") for i, p in enumerate(noise)]


def test_minutes_without_an_alarm_keep_the_models_threshold():
    """Neither a lower one, which so little cannot prove, nor a higher one, which nothing asks for."""
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
    assert choose([room(3 * 3600, 1, mean=-5)], 1.0, HOP, 0.9) == 0.9  # no alarm in 3 h may be 1.2 an hour


def test_a_noisy_room_gets_none():
    assert choose([room(60, 1, mean=4)], 1.0, HOP, 0.7) is None


@pytest.mark.parametrize(
    ("recordings", "sentence"),
    [
        ([room(10, 1)], r"10\.0 s could be judged.*15 s or more"),
        ([room(0.2, 1)] * 80, "no recording is long enough"),
    ],
)
def test_too_little(recordings: list[list[Reading]], sentence: str):
    with pytest.raises(InputError, match=sentence):
        choose(recordings, 1.0, HOP, 0.7)


@pytest.mark.parametrize("budget", [6.0, 60.0])
def test_the_promised_rate_holds_in_hours_that_it_was_not_chosen_on(budget: float):
    """Chosen in one hour, counted in ten others: within the error of both counts."""
    chosen = choose([room(3600, 1)], budget, HOP, 0.3)
    assert chosen is not None
    called = alarms([room(5 * 3600, seed) for seed in (2, 3)], chosen, HOP)
    low, high = poisson_interval(called)
    assert low / 10 < poisson_interval(math.floor(budget))[1]  # that may hide behind what was counted
    assert high / 10 > 0.2 * budget  # and it is not far more careful than it was asked to be


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
    ("count", "seconds", "said"),
    [
        (0, 1690, "no alarm, at most 7.9 an hour, from 28 min 10 s"),
        (1, 46, "1 alarm, 2 to 436 an hour, from 46 s"),
        (7, 3600, "7 alarms, 2.8 to 14 an hour, from 1 h 0 min"),
    ],
)
def test_an_interval_in_words(count: int, seconds: float, said: str):
    assert rate_in_words(count, seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "no window"), (0.01, "almost no window"), (1 / 6, "about 1 window of 6"),
        (0.8, "about 4 windows of 5"), (0.5, "about 1 window of 2"), (0.43, "about 2 windows of 5"),
        (0.99, "almost every window"),
        (1.0, "every window"),
    ],
)  # fmt: skip
def test_a_share_in_words(share: float, said: str):
    assert threshold.share_in_words(share) == said


def test_what_a_threshold_costs_is_measured_behind_the_voice(voice: np.ndarray):
    detector = NoiseDetector()
    readings = detector.stream().push(voice)
    low, high = threshold.hit_rates(detector, [Room(readings, voice)], (0.9, 0.99)) or (0.0, 1.0)
    assert low > 0.8
    assert high < low - 0.2
    quiet = (np.random.default_rng(0).standard_normal(64_000) * 1e-4).astype(np.float32)
    assert threshold.hit_rates(detector, [Room(detector.stream().push(quiet), quiet)], (0.9,)) is None


def test_provisional_until_enough_was_heard():
    fresh = Calibration("mic", "tcn", HOP, 0.8, 1.0, "2026-01-01", 60.0)
    assert fresh.provisional
    assert "provisional until" in fresh.sentence()
    hour = fresh.after(3600, 0)
    assert hour.rate == (0.0, 0.0, pytest.approx(3.689, abs=1e-3))
    assert hour.provisional  # no alarm in one hour may still be three an hour
    assert not hour.after(3 * 3600, 0).provisional
    assert "no noise called, at most 0.92 an hour, from 4 h" in hour.after(3 * 3600, 0).sentence()
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
    own = Model(DEFAULT).card.threshold
    assert done.stdout.startswith(f"threshold {own:.2f}: no alarm, at most 629 an hour, from 21 s\n")
    assert f"{DEFAULT}'s own threshold" in done.stdout
    assert "Steady noise 20 dB below the voice, added to this recording, is called in " in done.stdout
    assert "not stored" in done.stdout
    assert not (tmp_path / "noisewatch").exists()


def test_a_budget_without_a_unit_is_an_hours():
    assert [_per_hour(text) for text in ("5", "5/h", "12/d")] == [5, 5, 0.5]


def test_a_noisy_room_is_told(run, home):
    done = run("calibrate", "--from", DEMO, env=home)
    assert done.returncode == 3
    assert "no threshold keeps false alarms within 1 an hour" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--max-false-alarms", "often"), "allowed"),
        (("--max-false-alarms", "0"), "written 1/h, 12/d or 0.5"),
        (("--seconds", "5"), "allowed"),
        (("--from", DEMO, "--seconds", "40"), "--seconds would be ignored beside --from"),
        (("--reset", "--model", "tcn", "--from", DEMO), "--from and --model would be ignored beside --reset"),
    ],
)
def test_usage(run, wrong, said: str):
    done = run("calibrate", *wrong)
    assert done.returncode == 2
    assert said in done.stderr


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
        clock = [datetime.fromisoformat(r["utc"]) for r in lines(heard.stdout)]
        assert clock == sorted(clock)
        assert abs(datetime.now(UTC) - clock[-1]) < timedelta(minutes=1)
        assert (clock[-1] - clock[0]).total_seconds() == pytest.approx(2, abs=1)
        assert re.search(r"no noise called, at most \d+ an hour, from 5 s", heard.stderr)
        ignored = run("listen", "--device", "pulse", "--seconds", "1", "--json", "--no-calibration", env=env)
        assert "calibrated" not in ignored.stderr
        player.terminate()
    assert json.loads(kept.read_text())["pulse"]["heard_s"] == pytest.approx(5, abs=0.5)
    listed = {d["name"]: d for d in map(json.loads, run("devices", "--json", env=env).stdout.splitlines())}
    assert listed["pulse"]["calibration"]["threshold"] == 0.93
    assert "threshold 0.93" in run("devices", env={**env, "COLUMNS": "200"}).stdout
    found = run("config", "--json", env={**env, "NOISEWATCH_DEVICE": "pulse"}).stdout
    assert '"threshold", "value": 0.93, "from": "calibration of pulse"' in found
    # An index is that input's, and no part of the names of others.
    index = str(listed["pulse"]["index"])
    stored = json.loads(kept.read_text())
    stored |= {name: {**stored["pulse"], "device": name} for name in (f"USB {index}", f"USB {index}b")}
    kept.write_text(json.dumps(stored))
    assert run("calibrate", "--reset", "--device", index, env=env).returncode == 0
    assert list(json.loads(kept.read_text())) == [f"USB {index}", f"USB {index}b"]
    kept.write_text("{broken")
    broken = run("listen", "--device", "pulse", "--seconds", "1", env=env)
    assert broken.stderr.count("set aside as calibrations.json.damaged; going on without") == 1
    assert "Traceback" not in broken.stderr


def test_a_calibration_is_forgotten_by_a_part_of_its_name(tmp_path: Path):
    kept = tmp_path / "noisewatch" / "calibrations.json"
    kept.parent.mkdir()
    known = {n: asdict(Calibration(n, "duo", HOP, 0.93, 1.0, "2026-01-01", 60.0)) for n in ("USB 2", "USB 2b")}
    kept.write_text(json.dumps(known))

    def reset(name: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            app, ["calibrate", "--reset", "--device", name], env={"XDG_STATE_HOME": str(tmp_path)}
        )
        return done.exit_code, done.stderr

    code, said = reset("usb")
    assert code == 2
    assert "'usb' is part of several names; give one of them to --device: USB 2, USB 2b." in said
    assert reset("USB 2")[0] == 0  # all of a name before a part of another
    assert reset("b")[0] == 0
    assert json.loads(kept.read_text()) == {}
    code, said = reset("USB 2")
    assert code == 2
    assert "Calibrated: none." in said


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "\xff", "[1]", '{"pulse": 1}', '{"pulse": {"threshold": "0.9"}}', '{"pulse": {}}',
     json.dumps({"pulse": vars(Calibration("pulse", "duo", HOP, 0.9, 1.0, "2026-01-01", 60.0, alarms=-1))})],
)  # fmt: skip
def test_damaged_calibrations_are_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = tmp_path / "noisewatch" / "calibrations.json"
    kept.parent.mkdir()
    kept.write_text(text, encoding="latin-1")
    left = kept.with_name(".noisewatch.abcd1234.part")  # by a process that was killed
    left.touch()
    said: list[str] = []
    assert calibrations.stored(said.append) == {}
    assert not left.exists()
    assert len(said) == 1
    assert "set aside as calibrations.json.damaged; going on without" in said[0]
    assert kept.with_name("calibrations.json.damaged").read_text(encoding="latin-1") == text
    assert calibrations.stored(said.append) == {}
    assert len(said) == 1
    fresh = Calibration("mic", "duo", HOP, 0.9, 1.0, "2026-01-01", 60.0)
    with calibrations.changed(said.append) as known:
        known["mic"] = fresh
    assert calibrations.stored(said.append) == {"mic": fresh}


def test_two_processes_count_all_that_they_heard(tmp_path: Path):
    script = (
        "import sys\n"
        "from noisewatch.tasks import calibrations as c\n"
        "for n in range(25):\n"
        "    with c.changed(print) as known:\n"
        "        known['mic'] = known.get('mic', c.Calibration('mic', 'duo', .1, .9, 1., 'x', 60.)).after(1.0, 1)\n"
    )
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", script], env=env) for _ in range(3)]
    assert [process.wait(60) for process in both] == [0, 0, 0]
    folder = tmp_path / "noisewatch"
    assert json.loads((folder / "calibrations.json").read_text())["mic"]["alarms"] == 75
    assert [p.name for p in folder.iterdir()] == ["calibrations.json"]


def test_a_lock_whose_owner_is_gone_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from noisewatch.errors import OutputError
    from noisewatch.system import locks

    monkeypatch.setattr(locks, "TIMEOUT_S", 0.3)
    (tmp_path / ".x.lock").touch()  # of a process that was killed
    with locks.locked(tmp_path / "x"):
        code = (
            "import pathlib, sys; from noisewatch.system import locks; locks.TIMEOUT_S = 0.3\n"
            "with locks.locked(pathlib.Path(sys.argv[1])): pass"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, check=False
        )
        assert "OutputError: cannot write" in done.stderr
        with pytest.raises(OutputError, match="another process"), locks.locked(tmp_path / "x"):
            pass
    assert list(tmp_path.iterdir()) == []
    target = tmp_path / "elsewhere"
    (tmp_path / ".x.lock").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"), locks.locked(tmp_path / "x"):
        pass
    assert not target.exists()
