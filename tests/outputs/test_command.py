"""Programs that are run on every event."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from noisewatch import UsageError
from noisewatch.core.events import Event
from noisewatch.outputs import dispatch
from noisewatch.outputs.command import Command
from noisewatch.outputs.dispatch import Dispatcher
from noisewatch.outputs.sink import SessionInfo

LIVE = SessionInfo("mic", True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))
START = Event("noise_start", 1.0, 0.5, 1, peak=0.9)


def killed(pid: Path) -> bool:
    """Whether the process that wrote its id into a file has ended; a zombie counts as ended."""
    with contextlib.suppress(FileNotFoundError):
        return Path("/proc", pid.read_text().strip(), "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("say {noise:{foo}}", "nested fields are not allowed"),
        ("say {nose}", "uses {nose}; allowed: noise, type"),
        ("say 'open", "Close its quotes"),
        ("", "is empty"),
        ("say {noise:.0q}", "cannot be filled"),
        ("say {noise", "cannot be filled"),
        ("say {noise:>1000000000}", "above 999"),
        ("say {noise:.1000000000f}", "above 999"),
        ("say {device!r:\uff11\uff10\uff10\uff10}", "above 999"),
        ("say {noise:{noise:999999999}}", "nested fields are not allowed"),
    ],
)
def test_a_template_that_cannot_be_filled(template: str, sentence: str):
    with pytest.raises(UsageError) as caught:
        Command(template)
    assert sentence in str(caught.value)


def test_a_wrong_template_ends_the_command_line(invoke):
    done = invoke("listen", "demo", "--fast", "--exec", "say {nose}")
    assert done.returncode == 2
    assert "uses {nose}; allowed: noise, type" in done.stderr


def test_a_shell_gets_the_event_fields_as_variables(tmp_path: Path):
    """A device whose name is a command is not executed."""
    noted = tmp_path / "noted"
    words = '"$NOISEWATCH_EVENT_DEVICE" "$NOISEWATCH_EVENT_NOISE" "$NOISEWATCH_EVENT_SNR_DB"'
    command = Command(f"sh -c 'printf \"%s|\" {words} > {noted}'")
    command.event(replace(START, device="$(touch x); `id`"))
    assert noted.read_text() == "$(touch x); `id`|0.9||"


def test_a_slow_command_finishes_with_the_recording(run, tmp_path: Path):
    noted = tmp_path / "noted"
    script = tmp_path / "slow.py"
    script.write_text(f"import time; time.sleep(1); open({str(noted)!r}, 'a').write('x')")
    done = run("listen", "demo", "--fast", "--exec", f"{sys.executable} {script}")
    assert "lost" not in done.stderr
    assert noted.read_text() == "xx"


@pytest.mark.parametrize("live", [True, False])
def test_a_hanging_command_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, live: bool):
    monkeypatch.setattr(Command, "event_s", 0.5)
    monkeypatch.setattr(dispatch, "DRAIN_S", 0.5)
    child = tmp_path / "child"
    hang = f"sh -c 'echo $$ > {child}; sleep 60'"
    warnings: list[str] = []
    dispatcher = Dispatcher([Command("false"), Command(hang)], warnings.append, replace(LIVE, live=live))
    dispatcher.event(START)
    dispatcher.event(START)
    assert len(dispatcher.close()) == 2  # both lost events
    assert sorted(warnings) == sorted([
        "--exec 'false' failed (exit code 1). Listening continues; lost events are counted.",
        f"--exec {hang!r} failed (still running after 0.5 s, so it was killed). "
        "Listening continues; lost events are counted.",
    ])  # fmt: skip
    assert killed(child)
