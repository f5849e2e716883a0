"""Sinks behind their queues: none of them holds up the session, and what they lose is counted."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, largest_file, lines

from noisewatch.core.events import Event
from noisewatch.outputs import dispatch
from noisewatch.outputs.command import Command
from noisewatch.outputs.dispatch import Dispatcher, SinkThread
from noisewatch.outputs.log import Log
from noisewatch.outputs.sink import SessionInfo, Sink

LIVE = SessionInfo("mic", True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))


def test_one_session_feeds_every_sink(run, tmp_path: Path):
    script = tmp_path / "note.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + '\\n')")
    command = f"{sys.executable} {script} {tmp_path}/noted '{{event}} {{noise:.0%}}' {{id}} {{duration}} {{device}}"
    log, table, labels = tmp_path / "new" / "e.jsonl", tmp_path / "e.csv", tmp_path / "l.txt"
    done = run("listen", "demo", "--fast", "--log", log, "--csv", table, "--labels", labels,
               "--exec", command, "--keep-clips", tmp_path / "clips", "--pre-roll", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lost" not in done.stderr
    start, end = lines(log.read_text(), "event")
    assert (start["event"], end["event"]) == ("noise_start", "noise_end")
    for event in (start, end):
        assert {"id", "onset", "peak", "mean", "snr_db", "level_dbfs", "model", "drops"} <= set(event)
        assert event["device"] == "demo"
        assert datetime.fromisoformat(event["utc"]) > LIVE.started  # wall clock time, even of a recording
    assert end["duration"] == pytest.approx(end["end"] - end["onset"], abs=2e-3)
    with table.open() as file:
        (row,) = csv.DictReader(file)
    assert (float(row["end"]), row["utc"]) == (end["end"], end["utc"])
    begin, finish, text = labels.read_text().splitlines()[1].split("\t")
    assert float(begin) == pytest.approx(start["onset"], abs=1e-3)
    assert float(finish) == pytest.approx(end["end"], abs=1e-3)
    assert text.startswith("noise ")
    noted = (tmp_path / "noted").read_text().splitlines()
    assert noted[0].split() == ["noise_start", f"{start['peak']:.0%}", "1", "-", "demo"]
    assert noted[1].split()[3] == str(end["duration"])
    (clip,) = (tmp_path / "clips").iterdir()
    samples, rate = sf.read(clip)
    assert len(samples) / rate == pytest.approx(end["duration"] + 1 + 0.5, abs=0.01)
    whole, _ = sf.read(DEMO)
    first = round((start["onset"] - 1) * rate)
    assert np.abs(samples[:1000] - whole[first : first + 1000]).max() < 1e-4


def test_a_failing_sink_warns_once_and_the_session_continues(run, tmp_path: Path):
    log = tmp_path / "e.jsonl"
    log.write_text("\n" * 1000)
    with largest_file(1000):
        done = run("listen", "demo", "--fast", "--json", "--log", log, "--exec", "/nowhere/program {event}",
                   "--labels", tmp_path / "l.txt")  # fmt: skip
    assert done.returncode == 0
    assert len(lines(done.stdout)) == 243
    assert done.stderr.count(f"the log {log} failed (File too large)") == 1
    assert f"the log {log}: 2 events lost" in done.stderr
    assert "'/nowhere/program {event}' failed (No such file or directory)" in done.stderr
    assert (tmp_path / "l.txt").exists()
    assert "Traceback" not in done.stderr


def test_a_stuck_sink_is_given_up_while_a_busy_one_finishes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The log is a pipe whose reader does not read. A command gets its full time limit."""
    monkeypatch.setattr(Command, "event_s", 30.0)
    monkeypatch.setattr(dispatch, "DRAIN_S", 30.0)
    monkeypatch.setattr(dispatch, "CLOSE_S", 0.3)
    fifo, noted = tmp_path / "fifo", tmp_path / "noted"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while os.write(reader, bytes(4096)):  # until the pipe is full
            pass
    command = Command(f"sh -c 'sleep 1; echo $NOISEWATCH_EVENT_ID > {noted}'")
    dispatcher = Dispatcher([Log(fifo), Log(tmp_path / "log"), command], [].append, LIVE)
    dispatcher.event(Event("noise_start", 1.0, 0.5, 1, peak=0.9))
    began = time.monotonic()
    assert dispatcher.close() == [f"the log {fifo}: 1 event lost"]
    assert time.monotonic() - began < 20
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert noted.read_text() == "1\n"
    os.close(reader)


def test_a_dead_sink_delays_nothing_and_its_losses_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatch, "DRAIN_S", 0.2)
    monkeypatch.setattr(dispatch, "CLOSE_S", 0.2)

    class Dead(Sink):
        name = "the dead one"

        def event(self, event: Event) -> None:
            time.sleep(60)

    warnings: list[str] = []
    thread = SinkThread(Dead(), warnings.append, 0.0)
    began = time.monotonic()
    for _ in range(dispatch.QUEUE + 50):
        thread.put(Event("noise_start", 1.0, 0.5))
    assert time.monotonic() - began < 5
    assert warnings == ["the dead one failed (it is too slow). Listening continues; lost events are counted."]
    assert thread.lost in (49, 50)  # the sink may have received one
    thread.finish(time.monotonic())
    thread.join(time.monotonic())
    assert thread.lost >= 300
