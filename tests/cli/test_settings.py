"""Where an option of `listen` comes from: command line, environment, file, default."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import DEMO, ROOT, lines

from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT


def shown(text: str) -> dict[str, tuple[object, str]]:
    return {r["option"]: (r["value"], r["from"]) for r in map(json.loads, text.splitlines())}


def test_the_command_line_overrides_variables_and_variables_the_file(run, invoke, tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text('hop = 0.5\nthreshold = 0.9\njson = true\nkeep-clips = "clips"\n')
    env = {"NOISEWATCH_CONFIG": str(file), "NOISEWATCH_THRESHOLD": "0.8", "NOISEWATCH_EXEC": "true"}
    found = shown(run("config", "--json", env=env).stdout)
    assert found["hop"] == (0.5, "file")
    assert found["threshold"] == (0.8, "environment")
    assert found["exec"] == ("true", "environment")
    assert found["keep-clips"] == ("clips", "file")
    assert found["model"] == (DEFAULT, "default")
    table = run("config", env=env).stdout
    assert "NOISEWATCH_KEEP_CLIPS" in table
    assert str(file) in table
    # `check` shares the device but not these options, so they do not affect it.
    file.write_text('hop = "often"\nfast = "maybe"\npre-roll = [1]\nmodel = "tcn"\n')
    done = invoke("check", "demo", "--seconds", "5", env={**env, "NOISEWATCH_PRE_ROLL": "long"})
    assert done.returncode == 0, done.stderr
    file.write_text("channel = 'left'\n")
    assert invoke("check", "demo", "--seconds", "5", env=env).returncode == 2
    file.write_text("hop = 0.5\njson = true\n")
    readings = lines(invoke("listen", "demo", "--fast", "--seconds", "6", env=env).stdout)
    assert readings[1]["time"] - readings[0]["time"] == pytest.approx(0.5)
    readings = lines(invoke("listen", "demo", "--fast", "--seconds", "6", "--hop", "1", env=env).stdout)
    assert readings[1]["time"] - readings[0]["time"] == pytest.approx(1.0)
    plain = invoke("listen", "demo", "--fast", "--seconds", "4", "--no-json", env=env).stdout
    assert plain.startswith("00:03.0")


def test_the_users_folder(run, invoke, tmp_path: Path):
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert "(does not exist)" in run("config", env=env).stdout
    (tmp_path / "noisewatch").mkdir()
    (tmp_path / "noisewatch" / "config.toml").write_text('device = "USB"\n')
    assert shown(run("config", "--json", env=env).stdout)["device"] == ("USB", "file")
    env |= {"NOISEWATCH_FOLLOW_DEFAULT": "1"}  # which ignores what is set for one device
    found = shown(run("config", "--json", env=env).stdout)
    assert found["device"] == (None, "follow-default")
    assert found["calibration"] == (False, "follow-default")
    for command in (["listen", "--fast"], ["check"]):  # a recording needs no device
        done = invoke(*command, "demo", "--seconds", "4", env={**env, "NOISEWATCH_CHANNEL": "2"})
        assert done.returncode == 0, done.stderr


def test_the_default_threshold_is_the_one_on_the_card(run):
    """In the documentation and in `config`."""
    message = f"({Model(DEFAULT).card.threshold:g} for the default model)"
    assert message in (ROOT / "docs" / "concepts.md").read_text()
    found = shown(run("config", "--json", env={"PULSE_SERVER": "none"}).stdout)
    assert found["threshold"] == (Model(DEFAULT).card.threshold, f"card of {DEFAULT}")
    done = run("config", "--json", env={"NOISEWATCH_MODEL": "nothing"})
    assert shown(done.stdout)["threshold"] == (None, "default")
    assert "unknown model 'nothing'" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "code", "message"),
    [
        ("THRESHOLD", "3", 2, "the threshold is 3.0; allowed: 0.05 to 0.99"),
        ("HOP", "0.013", 2, "the hop is 0.013 s; allowed"),
        ("EXEC", "echo {foo}", 2, "{foo}"),
        ("MODEL", "nothing", 5, "unknown model 'nothing'"),
    ],
)
def test_a_value_that_listen_would_refuse_is_shown_and_refused(
    invoke, variable: str, value: str, code: int, message: str
):
    done = invoke("config", "--json", env={f"NOISEWATCH_{variable}": value})
    assert done.returncode == code
    assert message in done.stderr
    assert shown(done.stdout)["pre-roll"] == (2.0, "default")


def test_one_and_zero_are_numbers(run):
    done = run("config", env={"NOISEWATCH_CHANNEL": "1", "NOISEWATCH_PRE_ROLL": "0"})
    rows = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines() if line.strip()}
    assert rows["channel"] == ["1", "environment"]
    assert rows["pre-roll"] == ["0.0", "environment"]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("treshold = 0.9", 2, "sets 'treshold', which is not an option. Did you mean threshold?"),
        ('hop = "often"', 2, "sets hop to 'often'"),
        ("hop = ", 6, "is not TOML"),
        ("[listen]\nhop = 0.5", 2, "sets 'listen', which is not an option"),
        ("hop = " + "9" * 5000, 6, "is not TOML: Exceeds the limit (4300 digits)"),
        ("hop = 0x" + "f" * 5000, 6, "is not TOML: Exceeds the limit (4300 digits)"),
        ("#" * (65 << 10), 6, "cannot be read: it is longer than the 65536 bytes allowed"),
        ("hop = " + "[" * 5000, 6, "is nested too deeply"),
        ("hop = 0.123", 2, "the hop is 0.123 s; allowed"),
    ],
)
def test_an_invalid_file_is_refused(invoke, tmp_path: Path, text: str, code: int, message: str):
    file = tmp_path / "c.toml"
    file.write_text(text)
    done = invoke("listen", "demo", "--fast", "--seconds", "4", env={"NOISEWATCH_CONFIG": str(file)})
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_only_regular_files_are_read(run, tmp_path: Path, make):
    """Reading a named pipe would block, and /dev/zero never ends."""
    (tmp_path / "noisewatch").mkdir()
    for name in ("config.toml", "calibrations.json", "scan.jsonl"):
        make(tmp_path / "noisewatch" / name)
    why = "it is not a regular file"
    done = run("listen", "demo", "--fast", "--seconds", "4", env={"XDG_CONFIG_HOME": str(tmp_path)}, timeout=20)
    assert (done.returncode, done.stdout) == (6, "")
    assert f"config.toml cannot be read: {why}." in done.stderr
    done = run("calibrate", "--reset", env={"XDG_STATE_HOME": str(tmp_path)}, timeout=20)
    assert done.returncode == 2
    assert f"calibrations.json cannot be read ({why}); continuing without" in done.stderr
    done = run("scan", DEMO, "--resume", "--hop", "3", env={"XDG_CACHE_HOME": str(tmp_path)}, timeout=20)
    assert done.returncode == 7
    assert f"scan.jsonl to resume from it: {why}." in done.stderr
    done = run("listen", "demo", "--model", tmp_path / "noisewatch" / "config.toml", timeout=20)
    assert done.returncode == 5
    assert "is not a file" in done.stderr


def test_invalid_variables_are_refused(run, invoke, tmp_path: Path):
    done = invoke("listen", "demo", env={"NOISEWATCH_HOP": "often"})
    assert done.returncode == 2
    assert "NOISEWATCH_HOP" in done.stderr
    for name, value in (("THRESHOLD", "abc"), ("FAST", "maybe")):
        done = invoke("listen", "demo", env={"NOISEWATCH_HOP": "0.5", f"NOISEWATCH_{name}": value})
        assert done.returncode == 2
        assert f"NOISEWATCH_{name} is '{value}'" in done.stderr
        assert "Input should" not in done.stderr
    done = invoke("listen", "demo", "--channel", "left")
    assert done.returncode == 2
    assert "Input should" not in done.stderr
    strange = {"NOISEWATCH_DEVISE": "2", "NOISEWATCH_\x1b[2J": "1"}
    done = run("config", env={**strange, "NOISEWATCH_DATA": "/data", "NOISEWATCH_EVENT_ID": "1"})
    assert done.stderr.count("is set, but there is no") == len(strange)
    assert "NOISEWATCH_?[2J is set" in done.stderr
    assert "NOISEWATCH_DEVISE is set, but there is no such option. Did you mean NOISEWATCH_DEVICE?" in done.stderr
    done = invoke("listen", "demo", env={"NOISEWATCH_CONFIG": str(tmp_path / "none.toml")})
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
