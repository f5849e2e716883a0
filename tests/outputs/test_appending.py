"""Log, table and labels: files that grow by whole lines, over crashes, rotations and sessions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import lines, wait_for

from noisewatch.core.events import Event, label_line
from noisewatch.outputs.appending import AppendingSink
from noisewatch.outputs.labels import Labels
from noisewatch.outputs.log import Log
from noisewatch.outputs.sink import SessionInfo
from noisewatch.outputs.table import Table

LIVE = SessionInfo("mic", True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))
END = Event("noise_end", 10.0, 1.0, 1, end=9.0, duration=8.0, peak=0.9, mean=0.9, snr_db=12.0)


def append(sink: AppendingSink, *events: Event, session: SessionInfo = LIVE) -> list[str]:
    """The lines of the file after a session with these events."""
    sink.open(session)
    for event in events:
        sink.event(event)
    sink.close()
    return sink._path.read_text().splitlines()


def test_a_second_session_appends_without_another_header(tmp_path: Path):
    for session in (1, 2):
        assert len(append(Log(tmp_path / "e.jsonl"), replace(END, event="noise_start"), END)) == 2 * session
        assert len(append(Table(tmp_path / "e.csv"), END)) == 1 + session


def test_a_rotated_file_is_started_again_under_its_name(tmp_path: Path):
    log, table, labels = (tmp_path / name for name in ("e.jsonl", "e.csv", "l.txt"))
    sinks = [Log(log), Table(table), Labels(labels)]
    for sink in sinks:
        sink.open(LIVE)
    for id in (1, 2):
        for sink in sinks:
            sink.event(replace(END, id=id, time=10.0 * id))
        for path in (log, table, labels):
            if id == 1:
                path.rename(f"{path}.1")
    for sink in sinks:
        sink.close()
    for path, count in ((log, 1), (table, 2), (labels, 2)):  # with a heading each
        assert len(path.read_text().splitlines()) == count
        assert len(Path(f"{path}.1").read_text().splitlines()) == count
    assert json.loads(log.read_text())["id"] == 2


def test_a_torn_line_spoils_no_other(tmp_path: Path):
    log = tmp_path / "e.jsonl"
    log.write_text('{"type": "event", "ev')
    torn, start, end = append(Log(log), replace(END, event="noise_start"), END)
    assert torn == '{"type": "event", "ev'
    assert [json.loads(line)["event"] for line in (start, end)] == ["noise_start", "noise_end"]


def test_sessions_do_not_overlap_on_a_label_track(tmp_path: Path):
    track = tmp_path / "l.txt"
    recording = replace(LIVE, device="demo", live=False, started=datetime.now(UTC))
    append(Labels(track), END, session=recording)
    first, noise, second, again = (line.split("\t") for line in append(Labels(track), END, session=recording))
    assert first[:2] == ["0.000", "0.000"]
    assert re.fullmatch(r"session 2\d{3}-\d\d-\d\dT[\d:.]+Z demo", first[2])
    assert "\t".join(noise) + "\n" == label_line(1.0, 9.0, 0.9, 12.0)
    assert float(second[0]) == float(noise[1])  # a recording follows the last label
    assert float(again[0]) - float(second[0]) == pytest.approx(float(noise[0]), abs=2e-3)
    # A live session is placed by the wall clock, counted from the first session.
    started = datetime.fromisoformat(first[2].split()[1]) + timedelta(hours=1)
    *_, live = append(Labels(track), session=replace(LIVE, started=started))
    assert live.split("\t")[0] == "3600.000"


def test_a_reader_that_leaves_early_gets_whole_events_logged(tmp_path: Path):
    log = tmp_path / "e.jsonl"
    line = f"{sys.executable} -m noisewatch listen demo --fast --json --log {log} | head -150 > {os.devnull}"
    subprocess.run(line, shell=True, check=False, timeout=60, cwd="/tmp")
    assert [e["event"] for e in lines(log.read_text(), "event")] == ["noise_start", "noise_end"]


def test_kill_9_leaves_whole_lines(early_noise: Path, tmp_path: Path):
    log = tmp_path / "e.jsonl"
    command = [sys.executable, "-m", "noisewatch", "listen", early_noise, "--log", log]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp") as process:
        wait_for(lambda: log.exists() and log.read_text())
        process.send_signal(signal.SIGKILL)
    (event,) = lines(log.read_text(), "event")
    assert event["event"] == "noise_start"
