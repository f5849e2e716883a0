"""Calibrations on disk: counted, shared by processes, set aside when damaged, forgotten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from noisewatch.cli.app import app
from noisewatch.tasks import calibrations
from noisewatch.tasks.calibrations import Calibration

HOP = 0.1


def test_provisional_until_enough_was_heard():
    fresh = Calibration("mic", "tcn", HOP, 0.8, 1.0, "2026-01-01", 60.0)
    assert fresh.provisional
    assert "provisional until" in fresh.sentence()
    hour = fresh.after(3600, 0)
    assert hour.rate == (0.0, 0.0, pytest.approx(3.689, abs=1e-3))
    assert hour.provisional  # no alarm in one hour is compatible with three an hour
    assert not hour.after(3 * 3600, 0).provisional
    assert "no noise reported, at most 0.92 an hour, from 4 h" in hour.after(3 * 3600, 0).sentence()
    assert hour.after(3 * 3600, 3).provisional


def test_a_calibration_is_forgotten_by_a_part_of_its_name(tmp_path: Path):
    file = tmp_path / "noisewatch" / "calibrations.json"
    file.parent.mkdir()
    known = {n: asdict(Calibration(n, "duo", HOP, 0.93, 1.0, "2026-01-01", 60.0)) for n in ("USB 2", "USB 2b")}
    file.write_text(json.dumps(known))

    def reset(name: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            app, ["calibrate", "--reset", "--device", name], env={"XDG_STATE_HOME": str(tmp_path)}
        )
        return done.exit_code, done.stderr

    code, message = reset("usb")
    assert code == 2
    assert "'usb' is part of several names; give one of them to --device: USB 2, USB 2b." in message
    assert reset("USB 2")[0] == 0  # a whole name takes precedence over a part of another
    assert reset("b")[0] == 0
    assert json.loads(file.read_text()) == {}
    code, message = reset("USB 2")
    assert code == 2
    assert "Calibrated: none." in message


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "\xff", "[1]", '{"pulse": 1}', '{"pulse": {"threshold": "0.9"}}', '{"pulse": {}}',
     json.dumps({"pulse": vars(Calibration("pulse", "duo", HOP, 0.9, 1.0, "2026-01-01", 60.0, alarms=-1))})],
)  # fmt: skip
def test_damaged_calibrations_are_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = tmp_path / "noisewatch" / "calibrations.json"
    file.parent.mkdir()
    file.write_text(text, encoding="latin-1")
    left = file.with_name(".noisewatch.abcd1234.part")  # by a process that was killed
    left.touch()
    sentences: list[str] = []
    assert calibrations.stored(sentences.append) == {}
    assert not left.exists()
    assert len(sentences) == 1
    assert "set aside as calibrations.json.damaged; continuing without" in sentences[0]
    assert file.with_name("calibrations.json.damaged").read_text(encoding="latin-1") == text
    assert calibrations.stored(sentences.append) == {}
    assert len(sentences) == 1
    fresh = Calibration("mic", "duo", HOP, 0.9, 1.0, "2026-01-01", 60.0)
    with calibrations.changed(sentences.append) as known:
        known["mic"] = fresh
    assert calibrations.stored(sentences.append) == {"mic": fresh}


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
