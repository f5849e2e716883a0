"""What a noise sets off, and that none of it holds up the meter."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, largest_file, lines, wait_for

from noisewatch.core.detector import DetectorConfig
from noisewatch.core.events import Event
from noisewatch.outputs import dispatch
from noisewatch.outputs.clips import Clips
from noisewatch.outputs.command import Command
from noisewatch.outputs.dispatch import Dispatcher, SinkThread
from noisewatch.outputs.labels import Labels
from noisewatch.outputs.log import Log
from noisewatch.outputs.sink import SessionInfo, Sink
from noisewatch.outputs.table import Table

FAST = ("demo", "--fast")
SESSION = SessionInfo("mic", 16_000, True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def soon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that is noisy from its first window on."""
    path = tmp_path_factory.mktemp("soon") / "soon.wav"
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(path, samples[10 * rate : 20 * rate], rate)
    return path


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
        assert datetime.fromisoformat(event["utc"]) > SESSION.started  # the clock, although it is a recording
    assert end["duration"] == pytest.approx(end["end"] - end["onset"], abs=2e-3)
    with (tmp_path / "e.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["end"]) == end["end"]
    assert row["utc"] == end["utc"]
    begin, finish, text = (tmp_path / "l.txt").read_text().splitlines()[1].split("\t")
    assert float(begin) == pytest.approx(start["onset"], abs=1e-3)
    assert float(finish) == pytest.approx(end["end"], abs=1e-3)
    assert text.startswith("noise ")
    told = (tmp_path / "told").read_text().splitlines()
    assert told[0].split() == ["noise_start", f"{start['peak']:.0%}", "1", "-", "demo"]
    assert told[1].split()[3] == str(end["duration"])
    (clip,) = (tmp_path / "clips").iterdir()
    samples, rate = sf.read(clip)
    assert len(samples) / rate == pytest.approx(end["duration"] + 1 + 0.5, abs=0.01)
    whole, _ = sf.read(DEMO)
    first = round((start["onset"] - 1) * rate)
    assert abs(samples[:1000] - whole[first : first + 1000]).max() < 1e-4
    # Appended, with one header.
    run("listen", *FAST, "--csv", tmp_path / "e.csv", "--log", tmp_path / "new" / "e.jsonl")
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 3
    assert len((tmp_path / "new" / "e.jsonl").read_text().splitlines()) == 4


def test_a_sink_that_fails_is_said_once_and_the_rest_goes_on(run, tmp_path: Path):
    log = tmp_path / "e.jsonl"
    log.write_text("\n" * 1000)
    with largest_file(1000):
        done = run("listen", *FAST, "--json", "--log", log, "--exec", "/nowhere/program {event}",
                   "--labels", tmp_path / "l.txt")  # fmt: skip
    assert done.returncode == 0
    assert len(lines(done.stdout)) == 243
    assert done.stderr.count(f"the log {log} failed (File too large)") == 1
    assert f"the log {log}: 2 events lost" in done.stderr
    assert "'/nowhere/program {event}' failed (No such file or directory)" in done.stderr
    assert (tmp_path / "l.txt").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--log", "--csv", "--labels", "--keep-clips"])
def test_what_cannot_be_written_is_said_at_the_start(run, option: str):
    done = run("listen", *FAST, "--json", option, "/proc/nowhere/x")
    assert done.returncode == 7
    assert "/proc/nowhere/x cannot be written: No such file or directory" in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--log", "--csv", "--labels"])
def test_a_pipe_without_a_reader_is_said_at_the_start(run, tmp_path: Path, option: str):
    os.mkfifo(tmp_path / "fifo")
    done = run("listen", *FAST, "--json", option, tmp_path / "fifo", timeout=20)
    assert (done.returncode, done.stdout) == (7, "")
    assert "fifo cannot be written: this named pipe has no reader. Use another path." in done.stderr


def test_a_sink_that_is_stuck_is_left_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A pipe whose reader does not read, for one. One that runs a command has the time that commands have."""
    monkeypatch.setattr(Command, "event_s", 30.0)
    monkeypatch.setattr(dispatch, "DRAIN_S", 30.0)
    monkeypatch.setattr(dispatch, "CLOSE_S", 0.3)
    fifo, told = tmp_path / "fifo", tmp_path / "told"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while os.write(reader, bytes(4096)):  # full
            pass
    command = Command(f"sh -c 'sleep 1; echo $NOISEWATCH_EVENT_ID > {told}'")
    sinks = [Log(fifo), Log(tmp_path / "log"), command]
    both = Dispatcher(sinks, [].append, SESSION)
    both.event(Event("noise_start", 1.0, 0.5, 1, peak=0.9))
    began = time.monotonic()
    assert both.close() == [f"the log {fifo}: 1 event lost"]
    assert time.monotonic() - began < 20
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert told.read_text() == "1\n"
    os.close(reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_said_at_the_start(run, tmp_path: Path):
    for option in ("--log", "--csv", "--labels"):
        done = run("listen", *FAST, "--json", option, "/dev/full")
        assert (done.returncode, done.stdout) == (7, "")
        assert "/dev/full cannot be written: No space left on device" in done.stderr
    with largest_file(10):
        done = run("listen", *FAST, "--json", "--keep-clips", tmp_path / "clips")
    assert (done.returncode, done.stdout) == (7, "")
    assert "cannot be written: File too large" in done.stderr
    assert [*(tmp_path / "clips").iterdir()] == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a disk to fill")
@pytest.mark.parametrize("option", ["--log", "--csv", "--labels", "--keep-clips"])
def test_a_disk_without_room_is_said_at_the_start(run, tmp_path: Path, option: str):
    place = tmp_path / "disk" / "x"
    place.parent.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place.parent)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        if option != "--keep-clips":
            place.write_text("\n")  # so that no heading is needed
        with contextlib.suppress(OSError):
            (place.parent / "full").write_bytes(bytes(1 << 20))
        done = run("listen", *FAST, "--json", option, place)
        assert (done.returncode, done.stdout) == (7, "")
        assert "cannot be written: No space left on device" in done.stderr
    finally:
        subprocess.run(["umount", str(place.parent)], check=True)


def test_a_log_that_was_renamed_goes_on_under_its_name(tmp_path: Path):
    log, table, labels = (tmp_path / name for name in ("e.jsonl", "e.csv", "l.txt"))
    sinks = [Log(log), Table(table), Labels(labels)]
    for sink in sinks:
        sink.open(SESSION)
    for id in (1, 2):
        for sink in sinks:
            sink.event(Event("noise_end", 10.0 * id, 1.0, id, end=9.0, duration=8.0, peak=0.9, mean=0.9))
        for path in (log, table, labels):
            if id == 1:
                path.rename(f"{path}.1")
    for sink in sinks:
        sink.close()
    for path, count in ((log, 1), (table, 2), (labels, 2)):
        assert len(path.read_text().splitlines()) == count
        assert len(Path(f"{path}.1").read_text().splitlines()) == count
    assert json.loads(log.read_text())["id"] == 2


def test_labels_of_several_sessions_do_not_overlap(run, tmp_path: Path):
    track = tmp_path / "l.txt"
    for _ in range(2):
        run("listen", *FAST, "--labels", track)
    first, noise, second, again = (line.split("\t") for line in track.read_text().splitlines())
    assert first[:2] == ["0.000", "0.000"]
    assert re.fullmatch(r"session 2\d{3}-\d\d-\d\dT[\d:.]+Z demo", first[2])
    assert float(second[0]) == float(noise[1])
    assert float(again[0]) - float(second[0]) == pytest.approx(float(noise[0]), abs=2e-3)
    # A live one lies where the clock says, counted from the first.
    hour = replace(SESSION, live=True, started=datetime.fromisoformat(first[2].split()[1]) + timedelta(hours=1))
    sink = Labels(track)
    sink.open(hour)
    sink.close()
    assert track.read_text().splitlines()[-1].split("\t")[0] == "3600.000"


@pytest.mark.parametrize("hot", [False, True])
def test_a_clip_is_private_and_as_loud_as_it_was(run, tmp_path: Path, hot: bool):
    """FLAC where it fits; floats where the input goes above full scale, which is noticed in the midst of it."""
    samples, rate = sf.read(DEMO, dtype="float32")
    samples[16 * rate :] *= 4 if hot else 1
    sf.write(tmp_path / "in.wav", samples, rate, subtype="FLOAT")
    run("listen", tmp_path / "in.wav", "--fast", "--keep-clips", tmp_path / "clips", "--log", tmp_path / "e.jsonl")
    (clip,) = (tmp_path / "clips").iterdir()
    assert clip.suffix == (".wav" if hot else ".flac")
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600
    assert stat.S_IMODE(clip.parent.stat().st_mode) == 0o700
    end = lines((tmp_path / "e.jsonl").read_text(), "event")[-1]
    heard, _ = sf.read(clip, dtype="float32")
    first = round((end["onset"] - 2) * rate)
    assert len(heard) == pytest.approx((end["duration"] + 2.5) * rate, abs=20)
    assert np.abs(heard - samples[first : first + len(heard)]).max() < 1e-4
    assert (np.abs(heard).max() > 1.1) == hot


def test_clips_of_blocks_that_are_long_end_with_the_noise(tmp_path: Path):
    """A recording as fast as it goes comes in blocks of seconds, and a long hop is called over late."""
    for block_s, hop, lag_s in ((4.0, 0.1, 3.65), (0.1, 3.0, 4.2)):  # as the detector decides
        config = DetectorConfig()
        folder = tmp_path / f"{hop}"
        sink = Clips(folder, 1.0)
        sink.open(replace(SESSION, decision_lag_s=config.lag_s(hop)))
        size, begun, end = round(block_s * 16_000), False, 20.05 - lag_s  # decided at the beginning of a long block
        for start in range(0, 40 * 16_000, size):
            sink.audio(start, np.full(size, 0.1, np.float32))
            now = (start + size) / 16_000
            if now >= 8 and not begun:
                sink.event(Event("noise_start", 8.0, 7.0, 1))
                begun = True
            if now >= end + lag_s:
                sink.event(Event("noise_end", now, 7.0, 1, end=end, duration=end - 7))
                break
        (clip,) = folder.iterdir()
        assert sf.info(clip).duration == pytest.approx(end - 7 + 1.5, abs=0.01), hop


def test_a_clip_that_was_being_written_is_finished_by_the_next_session(soon: Path, tmp_path: Path):
    clips = tmp_path / "clips"
    command = [sys.executable, "-m", "noisewatch", "listen", soon, "--keep-clips", clips]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp") as process:

        def written() -> int:
            return sum(path.stat().st_size for path in clips.glob(".*.part"))

        wait_for(lambda: written() >= 50_000)
        Clips(clips, 1.0).open(SESSION)  # another session, while it is being written
        assert written() >= 50_000
        process.send_signal(signal.SIGKILL)
    aim = tmp_path / "aim"
    (clips / ".2026-01-01_000000_noise1_1.flac.abcd1234.part").symlink_to(aim)
    (clips / ".2026-01-01_000000_noise2_1.flac.abcd1234.part").write_bytes(b"fLaC")
    Clips(clips, 1.0).open(SESSION)
    (clip,) = (path for path in clips.iterdir() if not path.is_symlink())
    assert re.fullmatch(r"20[\d_-]+_noise1_\d+\.flac", clip.name)
    assert sf.info(clip).duration > 1
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600
    assert not aim.exists()


def test_a_clip_that_was_left_stays_until_there_is_room(tmp_path: Path):
    part = tmp_path / ".2026-01-01_000000_noise1_1.flac.abcd1234.part"
    noise = np.random.default_rng(1).standard_normal(80_000) * 0.1
    sf.write(part, noise, 16_000, format="FLAC")
    left = part.read_bytes()
    with largest_file(len(left) // 2):
        Clips(tmp_path, 1.0).open(SESSION)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [left]
    Clips(tmp_path, 1.0).open(SESSION)
    (clip,) = tmp_path.iterdir()
    assert clip.name == "2026-01-01_000000_noise1_1.flac"
    assert sf.info(clip).frames == len(noise)


def test_what_a_kill_leaves_of_the_first_look_at_the_folder_is_removed(tmp_path: Path):
    script = (
        "import os, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]\n"
        "from noisewatch.outputs import clips; from test_outputs import SESSION\n"
        "clips.ClipFile.discard = lambda clip: os._exit(9)\n"
        "clips.Clips(Path(sys.argv[1]), 1.0).open(SESSION)\n"
    )
    words = [sys.executable, "-c", script, tmp_path, *Path(__file__).parents[:2]]
    assert subprocess.run(words, check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    Clips(tmp_path, 1.0).open(SESSION)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_is_above_full_scale_from_its_beginning(tmp_path: Path):
    sink = Clips(tmp_path, 1.0)
    sink.open(SESSION)
    sink.event(Event("noise_start", 0.1, 0.0, 1))
    for start in range(0, 160_000, 1600):
        sink.audio(start, np.full(1600, 1.5, np.float32))
    sink.event(Event("noise_end", 9.0, 0.0, 1, end=6.0, duration=6.0))
    (clip,) = tmp_path.iterdir()
    samples, _ = sf.read(clip)
    assert (clip.suffix, len(samples), samples.min()) == (".wav", 6.5 * 16_000, 1.5)


def test_no_cell_is_a_formula(run, tmp_path: Path):
    """In any csv of ours: names of files, devices, speakers."""
    from noisewatch.corpus.manifest import Row, read_manifest, write_manifest

    names = ["=1+1.wav", "+1.wav", "-1.wav", "@x.wav", "\tx.wav", "\rx.wav", "a\rb.wav", "fine.wav"]
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).touch()
    done = run("scan", *names[:2], ".", "--format", "csv", cwd=tmp_path / "in", text=False)
    found = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert sorted(os.path.normpath(row["path"]) for row in found) == sorted(names)
    assert {row["path"] for row in found} >= {"./=1+1.wav", "./+1.wav", "a\rb.wav"}
    sink = Table(tmp_path / "e.csv")
    sink.open(SESSION)
    sink.event(Event("noise_end", 9.0, 1.0, 1, end=8.0, snr_db=-3.5, device="=cmd()", model="@m"))
    sink.close()
    (row,) = csv.DictReader(io.StringIO((tmp_path / "e.csv").read_text()))
    assert (row["device"], row["model"], row["snr_db"]) == ("'=cmd()", "'@m", "-3.5")
    rows = [Row(name, "speech", "=s", f"-{n}", 1.0, "train", "yes", None, "+l") for n, name in enumerate(names)]
    write_manifest(tmp_path / "in" / "manifest.csv", rows)
    with (tmp_path / "in" / "manifest.csv").open(newline="") as file:
        for cells in csv.reader(file):
            assert not any(cell[:1] in tuple("=+-@\t\r") for cell in cells if cell)
    again = read_manifest(tmp_path / "in")
    assert [r.path for r in again[4:6]] == [str(tmp_path / "in" / name) for name in names[4:6]]


def test_clips_on_a_full_disk_slow_nothing(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(tmp_path / "long.flac", np.tile(samples, 4), rate)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (50_000, 50_000))
    clips = tmp_path / "clips"
    done = run("listen", tmp_path / "long.flac", "--fast", "--json", "--keep-clips", clips, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("failed (File too large)") == 1
    assert "events lost" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_slow_command_is_waited_for_and_a_hanging_one_is_stopped(run, tmp_path: Path):
    told = tmp_path / "told"
    script = tmp_path / "slow.py"
    script.write_text(f"import time; time.sleep(1); open({str(told)!r}, 'a').write('x')")
    done = run("listen", *FAST, "--exec", f"{sys.executable} {script}")
    assert "lost" not in done.stderr
    assert told.read_text() == "xx"
    script.write_text(f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    done = run("listen", *FAST, "--exec", f"{sys.executable} {script}")
    assert "events lost" in done.stderr
    assert ended(told)


def ended(pid: Path) -> bool:
    """Whether a process that wrote its number into a file was stopped; nobody may have asked for its exit code."""
    with contextlib.suppress(FileNotFoundError):
        return Path("/proc", pid.read_text().strip(), "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


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
def test_a_command_that_cannot_be(run, command: str, said: str):
    done = run("listen", *FAST, "--exec", command)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_shell_gets_the_fields_as_variables(tmp_path: Path):
    """A device that is called like a command is a name and no more."""
    told = tmp_path / "told"
    words = '"$NOISEWATCH_EVENT_DEVICE" "$NOISEWATCH_EVENT_NOISE" "$NOISEWATCH_EVENT_SNR_DB"'
    command = Command(f"sh -c 'printf \"%s|\" {words} > {told}'")
    command.event(Event("noise_start", 1.0, 0.5, 1, peak=0.9, device="$(touch x); `id`"))
    assert told.read_text() == "$(touch x); `id`|0.9||"


def test_a_command_that_fails_and_one_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(Command, "event_s", 0.5)
    monkeypatch.setattr(dispatch, "DRAIN_S", 0.5)
    said: list[str] = []
    event = Event("noise_start", 1.0, 0.5, 1, peak=0.9)
    child = tmp_path / "child"
    hang = f"sh -c 'echo $$ > {child}; sleep 60'"
    both = Dispatcher([Command("false"), Command(hang)], said.append, SESSION)
    both.event(event)
    both.event(event)
    assert len(both.close()) == 2
    assert sorted(said) == sorted([
        "--exec 'false' failed (exit code 1). Listening continues; lost events are counted.",
        f"--exec {hang!r} failed (still running after 0.5 s, so it was killed). "
        "Listening continues; lost events are counted.",
    ])  # fmt: skip
    assert ended(child)


def test_a_dead_sink_slows_nothing_and_counts_what_it_loses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatch, "DRAIN_S", 0.2)
    monkeypatch.setattr(dispatch, "CLOSE_S", 0.2)

    class Dead(Sink):
        name = "the dead one"

        def event(self, event: Event) -> None:
            time.sleep(60)

    said: list[str] = []
    outlet = SinkThread(Dead(), said.append, 0.0)
    began = time.monotonic()
    for _ in range(dispatch.QUEUE + 50):
        outlet.put(Event("noise_start", 1.0, 0.5))
    assert time.monotonic() - began < 5
    assert said == ["the dead one failed (it is too slow). Listening continues; lost events are counted."]
    assert outlet.lost in (49, 50)  # one is in its hands
    outlet.finish(time.monotonic())
    outlet.join(time.monotonic())
    assert outlet.lost >= 300


def test_kill_9_leaves_whole_lines(soon: Path, tmp_path: Path):
    log = tmp_path / "e.jsonl"
    command = [sys.executable, "-m", "noisewatch", "listen", soon, "--log", log]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp") as process:
        wait_for(lambda: log.exists() and log.read_text())
        process.send_signal(signal.SIGKILL)
    (event,) = lines(log.read_text(), "event")
    assert event["event"] == "noise_start"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_noise_in_every_sink(soon: Path, tmp_path: Path, number: int, code: int):
    """Also on a terminal that takes no frame any more, as one that was frozen."""
    log, clips = tmp_path / "e.jsonl", tmp_path / "clips"
    command = [sys.executable, "-m", "noisewatch", "listen", soon, "--log", log, "--keep-clips", clips]
    terminal, screen = os.openpty()
    try:
        with subprocess.Popen(
            command, stdin=screen, stdout=screen, stderr=screen, cwd="/tmp", env={**os.environ, "TERM": "xterm"}
        ) as process:
            wait_for(lambda: log.exists() and log.read_text())
            process.send_signal(number)
            assert process.wait(20) == code
    finally:
        os.close(terminal)
        os.close(screen)
    assert [e["event"] for e in lines(log.read_text(), "event")] == ["noise_start", "noise_end"]
    assert [e["device"] for e in lines(log.read_text(), "event")] == ["soon.wav", "soon.wav"]
    (clip,) = clips.iterdir()
    assert clip.suffix == ".flac"
    assert sf.info(clip).duration > 1


def test_a_signal_that_comes_while_it_closes_leaves_whole_clips(soon: Path, tmp_path: Path):
    clips, told = tmp_path / "clips", tmp_path / "told"
    hold = f"{sys.executable} -c \"import time; open('{told}', 'a').write('x'); time.sleep(1)\""
    command = [sys.executable, "-m", "noisewatch", "listen", soon, "--fast", "--seconds", "5", "--json",
               "--keep-clips", clips, "--exec", hold]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/tmp") as process:
        wait_for(told.exists)
        time.sleep(0.5)  # the recording is at its end
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert told.read_text() == "xx"
    (clip,) = clips.iterdir()
    assert sf.info(clip).duration > 3
