"""What a noise sets off, and that none of it holds up the meter."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import lines

from noisewatch import reactions
from noisewatch.events import Event
from noisewatch.reactions import Outlet, Reactions, Sink

FAST = ("demo", "--fast")


def test_all_of_them(run, tmp_path: Path):
    script = tmp_path / "told.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + '\\n')")
    command = f"{sys.executable} {script} {tmp_path}/told '{{event}} {{noise:.0%}}' {{id}} {{duration}} {{device}}"
    log, table = tmp_path / "new" / "e.jsonl", tmp_path / "e.csv"
    done = run("listen", *FAST, "--log", log, "--csv", table, "--labels", tmp_path / "l.txt",
               "--exec", command, "--keep-clips", tmp_path / "clips", "--pre-roll", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lost" not in done.stderr
    start, end = lines((tmp_path / "new" / "e.jsonl").read_text(), "event")
    assert (start["event"], end["event"]) == ("noise_start", "noise_end")
    for event in (start, end):
        assert {"id", "onset", "peak", "mean", "snr_db", "level_dbfs", "device", "model", "drops", "utc"} <= set(
            event
        )
        assert event["device"] == "demo"
    assert end["duration"] == pytest.approx(end["end"] - end["onset"], abs=2e-3)
    with (tmp_path / "e.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["end"]) == end["end"]
    begin, finish, text = (tmp_path / "l.txt").read_text().rstrip("\n").split("\t")
    assert float(begin) == pytest.approx(start["onset"], abs=1e-3)
    assert float(finish) == pytest.approx(end["end"], abs=1e-3)
    assert text.startswith("noise ")
    told = (tmp_path / "told").read_text().splitlines()
    assert told[0].split() == ["noise_start", f"{start['peak']:.0%}", "1", "-", "demo"]
    assert told[1].split()[3] == str(end["duration"])
    (clip,) = (tmp_path / "clips").iterdir()
    samples, rate = sf.read(clip)
    assert len(samples) / rate == pytest.approx(end["duration"] + 1 + 0.5, abs=0.01)
    whole, _ = sf.read(Path(reactions.__file__).with_name("demo.flac"))
    first = round((start["onset"] - 1) * rate)
    assert abs(samples[:1000] - whole[first : first + 1000]).max() < 1e-4
    # Appended, with one header.
    run("listen", *FAST, "--csv", tmp_path / "e.csv", "--log", tmp_path / "new" / "e.jsonl")
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 3
    assert len((tmp_path / "new" / "e.jsonl").read_text().splitlines()) == 4


def test_a_sink_that_fails_is_said_once_and_the_rest_goes_on(run, tmp_path: Path):
    done = run("listen", *FAST, "--json", "--log", "/proc/nowhere/e.jsonl", "--exec", "/nowhere/program {event}",
               "--keep-clips", "/proc/nowhere", "--labels", tmp_path / "l.txt")  # fmt: skip
    assert done.returncode == 0
    assert len(lines(done.stdout)) == 243
    assert done.stderr.count("the log /proc/nowhere/e.jsonl failed") == 1
    assert "the log /proc/nowhere/e.jsonl: 2 events lost" in done.stderr
    assert "'/nowhere/program {event}' failed (No such file or directory)" in done.stderr
    assert "the clips in /proc/nowhere failed" in done.stderr
    assert (tmp_path / "l.txt").exists()
    assert "Traceback" not in done.stderr


def test_a_full_disk(run):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = run("listen", *FAST, "--log", "/dev/full")
    assert done.returncode == 0
    assert "the log /dev/full failed (No space left on device)" in done.stderr
    assert "2 events lost" in done.stderr


def test_clips_on_a_full_disk_slow_nothing(run, tmp_path: Path):
    samples, rate = sf.read(Path(reactions.__file__).with_name("demo.flac"), dtype="float32")
    sf.write(tmp_path / "long.flac", np.tile(samples, 4), rate)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (50_000, 50_000))
    clips = tmp_path / "clips"
    done = run("listen", tmp_path / "long.flac", "--fast", "--json", "--keep-clips", clips, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("failed (cannot write") == 1
    assert "events lost" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_slow_command_is_waited_for_and_a_hanging_one_is_stopped(run, tmp_path: Path):
    told = tmp_path / "told"
    script = tmp_path / "slow.py"
    script.write_text(f"import time; time.sleep(3); open({str(told)!r}, 'a').write('x')")
    done = run("listen", *FAST, "--exec", f"{sys.executable} {script}")
    assert "lost" not in done.stderr
    assert told.read_text() == "xx"
    script.write_text(f"import time; time.sleep(14); open({str(told)!r}, 'a').write('y')")
    done = run("listen", *FAST, "--exec", f"{sys.executable} {script}")
    assert "events lost" in done.stderr
    time.sleep(6)
    assert told.read_text() == "xx"


def test_a_torn_line_spoils_no_other(run, tmp_path: Path):
    log = tmp_path / "e.jsonl"
    log.write_text('{"type": "event", "ev')
    run("listen", *FAST, "--log", log)
    assert len(log.read_text().splitlines()) == 3
    assert json.loads(log.read_text().splitlines()[1])["event"] == "noise_start"


def test_a_reader_that_has_enough_leaves_whole_events(tmp_path: Path):
    log = tmp_path / "e.jsonl"
    line = f"{sys.executable} -m noisewatch listen demo --fast --json --log {log} | head -150 > {os.devnull}"
    subprocess.run(line, shell=True, check=False, timeout=60, cwd="/tmp")
    assert [e["event"] for e in lines(log.read_text(), "event")] == ["noise_start", "noise_end"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("say {noise:{foo}}", "one field within another"),
        ("say {nose}", "asks for {nose}; there are: noise, type"),
        ("say 'open", "Close its quotes"),
        ("", "is empty"),
        ("say {noise:.0q}", "cannot be filled"),
        ("say {noise", "cannot be filled"),
    ],
)
def test_a_command_that_cannot_be(run, command: str, said: str):
    done = run("listen", *FAST, "--exec", command)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_command_that_fails_and_one_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(reactions, "COMMAND_S", 0.5)
    said: list[str] = []
    event = Event("noise_start", 1.0, 0.5, 1, peak=0.9)
    child = tmp_path / "child"
    hang = f"{sys.executable} -c \"import time; time.sleep(2); open('{child}', 'w')\""
    both = Reactions([reactions.Command("false"), reactions.Command(hang)], said.append, live=True)
    both.event(event)
    both.event(event)
    assert len(both.close()) == 2
    assert sorted(said) == sorted([
        "--exec 'false' failed (it ended with 1). Listening goes on; what is lost is counted.",
        f"--exec {hang!r} failed (it was still running after 0.5 s and was stopped). "
        "Listening goes on; what is lost is counted.",
    ])  # fmt: skip
    time.sleep(2)
    assert not child.exists()


def test_a_dead_sink_slows_nothing_and_counts_what_it_loses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reactions, "COMMAND_S", 0.2)
    monkeypatch.setattr(reactions, "CLOSE_S", 0.2)

    class Dead(Sink):
        name = "the dead one"

        def event(self, event: Event) -> None:
            time.sleep(60)

    said: list[str] = []
    outlet = Outlet(Dead(), said.append, 0.0)
    began = time.monotonic()
    for _ in range(reactions.QUEUE + 50):
        outlet.put(Event("noise_start", 1.0, 0.5))
    assert time.monotonic() - began < 5
    assert said == ["the dead one failed (it is too slow). Listening goes on; what is lost is counted."]
    assert outlet.lost in (49, 50)  # one is in its hands
    outlet.finish(time.monotonic() + 0.2)
    outlet.join(time.monotonic() + 0.2)
    assert outlet.lost >= 300


def test_kill_9_leaves_whole_lines(tmp_path: Path):
    log = tmp_path / "e.jsonl"
    command = [sys.executable, "-m", "noisewatch", "listen", "demo", "--log", log]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp") as process:
        deadline = time.monotonic() + 40
        while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    (event,) = lines(log.read_text(), "event")
    assert event["event"] == "noise_start"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_the_noise_in_every_sink(tmp_path: Path):
    log = tmp_path / "e.jsonl"
    command = [
        sys.executable,
        "-m",
        "noisewatch",
        "listen",
        "demo",
        "--log",
        log,
        "--keep-clips",
        tmp_path / "clips",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp") as process:
        deadline = time.monotonic() + 40
        while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode == 130
    assert [e["event"] for e in lines(log.read_text(), "event")] == ["noise_start", "noise_end"]
    assert [e["device"] for e in lines(log.read_text(), "event")] == ["demo", "demo"]
    (clip,) = (tmp_path / "clips").iterdir()
    assert clip.suffix == ".flac"
    assert sf.info(clip).duration > 2
