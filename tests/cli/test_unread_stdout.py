"""A stdout that is not read, or that is full."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import soundfile as sf
from conftest import DEMO, lines, wait_for

FAST = ("--fast", "--json")
MANY = ("listen", "demo", *FAST, "--hop", "0.02", "--model", "tcn")  # 250 kB of lines, which no pipe holds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_unread_stdout_spoils_neither_log_nor_clips(tmp_path: Path, number: int):
    """A signal ends the command; in one case, stderr goes into the same full pipe."""
    log, clips = tmp_path / "e.jsonl", tmp_path / "clips"
    command = [sys.executable, "-m", "noisewatch", *MANY]
    shared = subprocess.STDOUT if number == signal.SIGINT else subprocess.DEVNULL
    with subprocess.Popen(
        [*command, "--log", log, "--keep-clips", clips], stdout=subprocess.PIPE, stderr=shared
    ) as process:
        wait_for(lambda: log.exists() and log.read_text().count("noise_end") == 1)
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert time.monotonic() - began < 10  # 1 s on an idle machine
        assert process.stdout is not None
        for line in process.stdout.read().splitlines():
            json.loads(line)
    assert len(list(clips.glob("*.flac"))) == 1
    assert not list(clips.glob(".*"))


def test_a_slow_reader_of_a_recording_gets_every_line(tmp_path: Path):
    log = tmp_path / "e.jsonl"
    command = [sys.executable, "-m", "noisewatch", *MANY, "--log", log]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        wait_for(lambda: log.exists() and "noise_end" in log.read_text())
        opened = Path(f"/proc/{process.pid}/fd")
        wait_for(lambda: str(log) not in map(os.path.realpath, opened.iterdir()))  # all of it was judged
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for the reader, which has not begun
            process.wait(0.8)
        text = first + process.stdout.read()
        assert process.wait(20) == 0
        message = process.stderr.read().decode()
    assert len(lines(text.decode())) == sf.info(DEMO).frames // 320 - 149
    assert "lost" not in message


@pytest.mark.parametrize("words", ["listen demo --json --fast", "--help", "listen --help"])
def test_a_reader_that_leaves_ends_it_quietly(words: str):
    command = f"{sys.executable} -m noisewatch {words} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd="/tmp", check=False)
    first, code = done.stdout.splitlines()
    assert "--json" not in words or json.loads(first)["type"] == "reading"
    assert code == "0"
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_behind_stdout(tmp_path: Path):
    """The log is complete whether the disk is full at once or in the middle of the noise."""
    command = [sys.executable, "-m", "noisewatch", "listen", "demo", *FAST, "--log", tmp_path / "e.jsonl"]
    for place, room, why in (("/dev/full", 1 << 30, "No space left on device"), ("out", 26_000, "File too large")):
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room))
        with (tmp_path / place).open("w") as full:
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, text=True, cwd="/tmp", check=False, preexec_fn=limit
            )
        assert done.returncode == 7
        assert re.search(rf"stdout: \d+ lines? not written: {why}", done.stderr), done.stderr
        assert f"cannot write the output: {why}." in done.stderr
        assert "Traceback" not in done.stderr
    events = lines((tmp_path / "e.jsonl").read_text(), "event")
    assert [e["event"] for e in events][-2:] == ["noise_start", "noise_end"]
    assert re.search(r"[1-9]\d*% of it noisy, 1 noise", done.stderr)
