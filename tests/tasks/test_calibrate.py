"""`noisewatch calibrate`, from recordings and a microphone."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines

from noisewatch.cli.calibrate import _per_hour
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT


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
    assert "Steady noise 20 dB below the voice, added to this recording, is detected in " in done.stdout
    assert "not stored" in done.stdout
    assert not (tmp_path / "noisewatch").exists()


def test_a_budget_without_a_unit_is_per_hour():
    assert [_per_hour(text) for text in ("5", "5/h", "12/d")] == [5, 5, 0.5]


def test_a_noisy_room_is_reported(invoke, home):
    done = invoke("calibrate", "--from", DEMO, env=home)
    assert done.returncode == 3
    assert "no threshold keeps false alarms within 1 an hour" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--max-false-alarms", "often"), "allowed"),
        (("--max-false-alarms", "0"), "written 1/h, 12/d or 0.5"),
        (("--seconds", "5"), "allowed"),
        (("--from", DEMO, "--seconds", "40"), "--seconds would be ignored with --from"),
        (("--reset", "--model", "tcn", "--from", DEMO), "--from and --model would be ignored with --reset"),
    ],
)
def test_wrong_arguments_are_refused(invoke, wrong, message: str):
    done = invoke("calibrate", *wrong)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_life_of_a_calibration(run, microphone, tmp_path: Path):
    """Recorded, shown, used, counted, ignored, forgotten."""
    env = {**microphone.env, "XDG_STATE_HOME": str(tmp_path)}
    samples, rate = sf.read(DEMO, dtype="float32", frames=6 * 16_000)
    sf.write(tmp_path / "voice.wav", np.tile(samples, 20), rate)  # longer than the test
    with microphone.play(tmp_path / "voice.wav") as player:
        done = run("calibrate", "--device", "pulse", "--seconds", "30", env=env, timeout=90)
        assert done.returncode == 0, done.stderr
        assert "Speak as you usually do for 15 s" in done.stderr
        assert "Say nothing for 15 s" in done.stderr
        assert "stored for pulse" in done.stdout
        assert "provisional" in done.stdout
        file = tmp_path / "noisewatch" / "calibrations.json"
        stored = json.loads(file.read_text())
        stored["pulse"]["threshold"] = 0.93
        file.write_text(json.dumps(stored))
        heard = run("listen", "--device", "pulse", "--seconds", "5", "--json", env=env)
        assert "threshold 0.93, calibrated" in heard.stderr
        clock = [datetime.fromisoformat(r["utc"]) for r in lines(heard.stdout)]
        assert clock == sorted(clock)
        assert abs(datetime.now(UTC) - clock[-1]) < timedelta(minutes=1)
        assert (clock[-1] - clock[0]).total_seconds() == pytest.approx(2, abs=1)
        assert re.search(r"no noise reported, at most \d+ an hour, from 5 s", heard.stderr)
        ignored = run("listen", "--device", "pulse", "--seconds", "1", "--json", "--no-calibration", env=env)
        assert "calibrated" not in ignored.stderr
        player.terminate()
    assert json.loads(file.read_text())["pulse"]["heard_s"] == pytest.approx(5, abs=0.5)
    listed = {d["name"]: d for d in map(json.loads, run("devices", "--json", env=env).stdout.splitlines())}
    assert listed["pulse"]["calibration"]["threshold"] == 0.93
    assert "threshold 0.93" in run("devices", env={**env, "COLUMNS": "200"}).stdout
    found = run("config", "--json", env={**env, "NOISEWATCH_DEVICE": "pulse"}).stdout
    assert '"threshold", "value": 0.93, "from": "calibration of pulse"' in found
    # An index selects that input; it is not matched against names.
    index = str(listed["pulse"]["index"])
    stored = json.loads(file.read_text())
    stored |= {name: {**stored["pulse"], "device": name} for name in (f"USB {index}", f"USB {index}b")}
    file.write_text(json.dumps(stored))
    assert run("calibrate", "--reset", "--device", index, env=env).returncode == 0
    assert list(json.loads(file.read_text())) == [f"USB {index}", f"USB {index}b"]
    file.write_text("{broken")
    broken = run("listen", "--device", "pulse", "--seconds", "1", env=env)
    assert broken.stderr.count("set aside as calibrations.json.damaged; continuing without") == 1
    assert "Traceback" not in broken.stderr
