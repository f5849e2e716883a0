"""The real command, as a person or a script runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, largest_file, lines, wait_for

import noisewatch
from noisewatch.core.shipped import find_model

FAST = ("--fast", "--json")
FIELDS = [
    "type", "time", "noise", "snr_db", "voice", "level_dbfs", "state", "reason", "warnings", "reference", "utc",
]  # fmt: skip


def test_bare_says_what_it_is_and_what_to_do(run):
    done = run()
    assert done.returncode == 0
    for command in ("noisewatch listen demo", "noisewatch listen", "noisewatch devices"):
        assert command in done.stdout
    assert run("--version").stdout == f"noisewatch {noisewatch.__version__}\n"


def test_the_demo_is_clean_then_noisy_then_clean(run):
    done = run("listen", "demo", *FAST)
    assert done.returncode == 0, done.stderr
    readings = lines(done.stdout)
    assert list(readings[0]) == FIELDS
    assert readings[0]["time"] == 3.0
    assert {r["utc"] for r in [*readings, *lines(done.stdout, "event")]} == {None}
    assert [r["time"] for r in readings[:3]] == [3.0, 3.1, 3.2]
    states = "".join(r["state"][0] for r in readings)
    assert states.strip("c").strip("n") == "", f"one stretch of noise, clean around it: {states}"
    assert states.startswith("c")
    assert states.endswith("c")
    assert "n" in states
    assert [e["event"] for e in lines(done.stdout, "event")] == ["noise_start", "noise_end"]
    end = lines(done.stdout, "event")[-1]
    assert end["duration"] == pytest.approx(end["end"] - end["onset"], abs=1e-3)
    assert "noisy" in done.stderr


def test_the_same_file_gives_the_same_lines(run):
    first, again = run("listen", DEMO, *FAST).stdout, run("listen", "demo", *FAST).stdout
    assert first.replace('"demo.flac"', '"demo"') == again


def test_seconds_hop_and_threshold(run):
    readings = lines(run("listen", "demo", *FAST, "--seconds", 6, "--hop", 0.5).stdout)
    assert [r["time"] for r in readings] == [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]
    strict = lines(run("listen", "demo", *FAST, "--threshold", 0.99).stdout)
    loose = lines(run("listen", "demo", *FAST, "--threshold", 0.1).stdout)
    assert sum(r["state"] == "noisy" for r in strict) < sum(r["state"] == "noisy" for r in loose)


def test_paced_as_if_live(run):
    began = time.monotonic()
    run("listen", "demo", "--json", "--seconds", 4)
    assert time.monotonic() - began >= 3.9


def test_plain_lines_where_there_is_no_terminal(run):
    done = run("listen", "demo", "--fast")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("00:03.0  clean")
    assert 20 <= len(done.stdout.splitlines()) <= 60


def test_colour_is_no_terminal(run, tmp_path: Path):
    """CI systems set FORCE_COLOR: no meter, no bar, no cursor code goes into a file."""
    forced = {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm-256color"}
    done = run("listen", "demo", "--fast", env=forced)
    assert done.stdout.startswith("00:03.0  clean")
    cursor = re.compile(r"\x1b\[[0-9;?]*[A-Zhl]")  # all but colours, which end in m
    for args in (
        ("scan", DEMO, "-o", tmp_path),
        ("config",),
        ("models",),
        ("prepare", "--demo", "-o", tmp_path / "d"),
    ):
        done = run(*args, env=forced)
        assert done.returncode == 0, done.stderr
        assert not cursor.search(done.stdout + done.stderr), args


def test_quiet_sections_overlap_in_threads_and_need_no_stderr(tmp_path: Path):
    script = (
        "import os, sys\n"
        "from noisewatch.system.native_stderr import quiet_stderr\n"
        "first, second = quiet_stderr(), quiet_stderr()\n"
        "for step in (first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)):\n"
        "    step(); os.write(2, b'hidden')\n"
        "second.__exit__(None, None, None); os.write(2, b'shown')\n"
        "import soundfile; from pathlib import Path; from noisewatch.decoding.decoders import open_file\n"
        "made = soundfile.SoundFile.__init__\n"
        "def opened(self, file, *rest, **more):\n"  # what another thread may write while a file is opened
        "    os.write(2, b' other'); made(self, file, *rest, **more)\n"
        "soundfile.SoundFile.__init__ = opened\n"
        "for path in sys.argv[1:]: open_file(Path(path), path)\n"
        "soundfile.SoundFile.__init__ = made\n"
        "sys.stderr = None\n"
        "with quiet_stderr(): os.write(2, b' data')\n"  # whatever descriptor 2 is now
        "import noisewatch; print(len(list(noisewatch.scan(sys.argv[1], hop=3.0))))\n"
    )
    sf.write(tmp_path / "a.mp3", np.zeros(16_000), 16_000)
    words = [sys.executable, "-c", script, DEMO, tmp_path / "a.mp3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    # mpg123 talks, and is hidden; what reads FLAC does not.
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "shown other data")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_user_without_a_home():
    """What a container's `--user 12345` is: no HOME, and nobody in the list of users."""
    taken = {"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"}
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o777)

        who = "--reuid 12345 --regid 12345 --clear-groups"
        reads = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"  # Python may lie in root's home

        def nobody(*args: object, home: str | None = None):
            env = {k: v for k, v in os.environ.items() if k not in taken} | ({"HOME": home} if home else {})
            command = ["setpriv", *who.split(), *reads.split(), sys.executable, "-m", "noisewatch", *map(str, args)]
            return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)

        for home in (None, "/proc/1/root"):  # the second is closed to this user
            done = nobody("listen", "demo", "--fast", "--seconds", "4", "--log", "e.jsonl", home=home)
            assert done.returncode == 0, done.stderr
            assert nobody("config", home=home).returncode == 0
        shown = nobody("scan", DEMO, "--resume")
        assert shown.returncode == 7
        assert "no home folder" in shown.stderr
        assert "demo.flac" in shown.stdout
        assert "Traceback" not in shown.stderr
        assert not (Path(folder) / "~").exists()


@pytest.mark.parametrize("option", ["--log", "--csv", "--labels", "--keep-clips", "--model"])
def test_the_home_of_nobody(run, option: str):
    done = run("listen", *("demo", "--fast"), option, "~nosuchuser/x")
    assert done.returncode == (5 if option == "--model" else 2)
    assert "~nosuchuser/x starts with an unknown home folder" in done.stderr


def test_a_home_folder_in_the_configuration(run, tmp_path: Path):
    (tmp_path / "mine.onnx").write_bytes(find_model("tcn").read_bytes())
    (tmp_path / "c.toml").write_text('model = "~/mine.onnx"\nlog = "~/e.jsonl"\n')
    env = {"HOME": str(tmp_path), "NOISEWATCH_CONFIG": "~/c.toml"}
    done = run("listen", "demo", "--fast", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert lines((tmp_path / "e.jsonl").read_text(), "event")[0]["model"] == "tcn"


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
def test_a_wav_through_a_pipe(run, tmp_path: Path, subtype: str):
    samples, rate = sf.read(DEMO, frames=16_000 * 5)
    sf.write(tmp_path / "a.wav", np.stack([samples, samples], 1), rate, subtype=subtype)
    data = (tmp_path / "a.wav").read_bytes()
    done = run("listen", "-", "--json", input=data, text=False)
    assert done.returncode == 0, done.stderr
    piped, direct = lines(done.stdout.decode()), lines(run("listen", tmp_path / "a.wav", *FAST).stdout)
    assert [r["noise"] for r in piped] == pytest.approx([r["noise"] for r in direct], abs=1e-3)


def test_raw_samples_through_a_pipe_that_ends_early(run):
    samples, _ = sf.read(DEMO, frames=16_000 * 4, dtype="int16")
    data = samples.tobytes()[:-1]  # half a sample is missing
    done = run("listen", "-", "--raw-rate", 16_000, "--json", input=data, text=False)
    assert done.returncode == 0, done.stderr
    assert len(lines(done.stdout.decode())) == 10


def test_ffmpeg_style_wav_header_without_a_length(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, frames=16_000 * 4)
    sf.write(tmp_path / "a.wav", samples, rate)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # what ffmpeg writes when it cannot seek
    done = run("listen", "-", "--json", input=bytes(data), text=False)
    assert done.returncode == 0, done.stderr
    assert len(lines(done.stdout.decode())) == 11


SILENT_DEVICE = """\
class PortAudioError(Exception): pass
class InputStream:
    active = True
    def __init__(self, **options): pass
    start = abort = close = lambda self: None
def query_hostapis(): return [{"name": "api"}]
def query_devices(kind=None):
    device = {"index": 0, "name": "mic", "hostapi": 0, "max_input_channels": 1, "default_samplerate": 8e3}
    return device if kind else [device]
"""


def test_a_pipe_that_pauses_loses_nothing(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, frames=16_000 * 12)
    sf.write(tmp_path / "a.wav", samples, rate)
    data = (tmp_path / "a.wav").read_bytes()
    command = [sys.executable, "-m", "noisewatch", "listen", "-", "--json"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/tmp"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[:300_001])  # in the middle of a sample, and of the noise
        process.stdin.flush()
        before = []
        while "input_lost" not in "".join(before[-1:]):
            before.append(process.stdout.readline().decode())
        out, err = process.communicate(data[300_001:], timeout=30)
    assert process.returncode == 0, err
    assert b"could not be judged" not in err  # a pause is no time of the stream
    piped = [json.loads(line) for line in [*before, *out.decode().splitlines()]]
    paused = [item for item in piped if item.get("reason") == "stalled" or item.get("event") == "input_back"]
    assert [item["type"] for item in paused[:2]] == ["reading", "event"]
    assert {item["time"] for item in paused} == {9.3}  # blocks of 0.1 s
    clock = [datetime.fromisoformat(item.pop("utc")) for item in piped]  # of a pipe it counts
    assert clock == sorted(clock)
    assert paused[-1]["event"] == "input_back"
    whole = run("listen", tmp_path / "a.wav", *FAST).stdout.replace('"a.wav"', '"stdin"')
    heard = [item | {"utc": None} for item in piped if item not in paused]
    assert heard == [json.loads(line) for line in whole.splitlines()]


def test_an_input_that_sends_nothing_can_be_left(tmp_path: Path, voice: np.ndarray):
    os.mkfifo(tmp_path / "named")
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "noisewatch"]
    pipes = {"stdin": reader, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": "/tmp"}
    listening = subprocess.Popen([*command, "listen", str(tmp_path / "named")], **pipes)
    checking = subprocess.Popen([*command, "check", "-", "--seconds", "3"], **pipes)
    listening_for = subprocess.Popen(
        [*command, "listen", f"/dev/fd/{reader}", "--seconds", "4"], pass_fds=[reader], **pipes
    )
    briefly = subprocess.Popen([*command, "listen", "-", "--seconds", "1"], **pipes)
    patient = subprocess.Popen([*command, "check", "-"], **{**pipes, "stdin": subprocess.PIPE, "text": False})
    (tmp_path / "sounddevice.py").write_text(SILENT_DEVICE)
    device = subprocess.Popen(
        [*command, "listen", "--seconds", "1"], env={**os.environ, "PYTHONPATH": str(tmp_path)}, **pipes
    )
    try:
        assert listening.stdout is not None
        assert "The input has stalled" in listening.stdout.readline()
        listening.send_signal(signal.SIGTERM)
        _, err = listening.communicate(timeout=20)
        assert (listening.returncode, "Traceback" in err) == (143, False)
        for process in (checking, listening_for, briefly, device):
            _, err = process.communicate(timeout=20)
            assert process.returncode == (4 if process is device else 6), err
            assert process is checking or "sent nothing" in err
        assert patient.poll() is None  # without --seconds it waits for the end, and the wait is no part of it
        sf.write(tmp_path / "voice.wav", voice, 16_000)
        out, err = patient.communicate((tmp_path / "voice.wav").read_bytes(), timeout=20)
        assert (patient.returncode, out[:19]) == (0, b"OK: 0% of 6 s is no"), err
    finally:
        for process in (listening, checking, listening_for, briefly, device, patient):
            process.kill()
        os.close(reader)
        os.close(writer)


def test_eight_channels_and_192_khz(run, tmp_path: Path):
    samples, _ = sf.read(DEMO, frames=16_000 * 4)
    many = np.zeros((len(samples), 8))
    many[:, 4] = samples
    sf.write(tmp_path / "many.wav", many, 16_000)
    fifth = lines(run("listen", tmp_path / "many.wav", *FAST, "--channel", 5).stdout)
    plain = lines(run("listen", "demo", *FAST, "--seconds", 4).stdout)
    assert [r["noise"] for r in fifth] == pytest.approx([r["noise"] for r in plain], abs=0.01)
    assert run("listen", tmp_path / "many.wav", *FAST).returncode == 0
    sf.write(tmp_path / "fast.wav", np.repeat(samples, 12), 192_000)
    assert len(lines(run("listen", tmp_path / "fast.wav", *FAST).stdout)) == 11


def _bad(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    demo, rate = sf.read(DEMO, dtype="float32")
    if name == "empty.wav":
        path.touch()
    elif name == "text.wav":
        path.write_text("this is no audio")
    elif name == "folder":
        path.mkdir()
    elif name == "none.wav":
        sf.write(path, np.zeros(0), 16_000)
    elif name == "one.wav":
        sf.write(path, np.ones(1) * 0.1, 16_000)
    elif name == "silent.wav":
        sf.write(path, np.zeros(80_000), 16_000)
    elif name == "nan.wav":
        demo[50_000] = np.nan
        sf.write(path, demo, rate, subtype="FLOAT")
    elif name == "inf.wav":
        demo[50_000] = np.inf
        sf.write(path, demo, rate, subtype="FLOAT")
    elif name == "cut.flac":
        path.write_bytes(DEMO.read_bytes()[:150_000])
    elif name == "cut.wav":
        sf.write(path, demo, rate)
        path.write_bytes(path.read_bytes()[: len(demo)])
    elif name == "slow.wav":
        sf.write(path, demo, 500)
    elif name == "film.mp4":
        path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(100))
    return path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.wav", "no file at"),
        ("empty.wav", "it has 0 bytes"),
        ("text.wav", "no audio that can be read"),
        ("folder", "is a folder"),
        ("none.wav", "0 samples"),
        ("one.wav", "too little sound"),
        ("silent.wav", "digital silence"),
        ("nan.wav", "not finite"),
        ("inf.wav", "not finite"),
        ("cut.flac", "is damaged"),
        ("cut.wav", "promises 27.2 s, and 13.6 s were there"),
        ("slow.wav", "500 Hz; allowed"),
        ("film.mp4", "ffmpeg"),
    ],
)
def test_bad_recordings_get_a_sentence(run, tmp_path: Path, name: str, sentence: str):
    done = run("listen", _bad(tmp_path, name), *FAST)
    assert done.returncode == 6
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    for line in done.stdout.splitlines():
        json.loads(line)


LONG = "a" * 300  # what no name may be


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (("listen", "demo", "--hop", "0.015"), 2, "multiples of 0.01"),
        (("listen", "demo", "--threshold", "2"), 2, "0.05 to 0.99"),
        (("listen", "demo", "--seconds", "0"), 2, "1 or more"),
        (("listen", "demo", "--channel", "2"), 2, "no channel 2"),
        (("listen", "demo", "--channel", "0"), 2, "count from 1"),
        (("listen", "demo", "--device", "3"), 2, "Give one of the two"),
        (("listen", "demo", "--raw-rate", "8000"), 2, "listen -"),
        (("listen", "demo", "--hop", "nan"), 2, "multiples of 0.01"),
        (("listen", "demo", "--seconds", "inf"), 2, "1 or more"),
        (("listen", "--nonsense"), 2, "No such option"),
        (("prepare",), 2, "--demo"),
        (("listen", "demo", "--model", f"{LONG}.onnx"), 5, "cannot read"),
        (("prepare", "--speech", LONG, "--noise", LONG), 6, "cannot read"),
        pytest.param(("train", "nowhere"), 6, "noisewatch prepare", marks=pytest.mark.extras),
        pytest.param(("train", LONG), 6, "no manifest at", marks=pytest.mark.extras),
        pytest.param(("export-onnx", "nowhere"), 6, "no checkpoint at nowhere", marks=pytest.mark.extras),
    ],
)
def test_wrong_arguments_get_a_sentence(run, tmp_path: Path, args: tuple[str, ...], code: int, sentence: str):
    done = run(*args, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("data", "sentence"), [(b"", "no WAV"), (b"RIFF", "no WAV"), (b"hello" * 50, "stdin is no audio")]
)
def test_a_pipe_without_audio(run, data: bytes, sentence: str):
    done = run("listen", "-", "--json", input=data, text=False)
    assert done.returncode == 6
    assert sentence in done.stderr.decode()
    done = run("listen", "-", "--raw-rate", 16_000, "--json", input=b"", text=False)
    assert done.returncode == 6
    assert "holds no audio" in done.stderr.decode()


MANY = ("listen", "demo", *FAST, "--hop", "0.01", "--model", "tcn")  # half a MB of lines, which no pipe holds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nobody_reads_stdout(tmp_path: Path, number: int):
    """Log and clips are whole all the same, and a signal ends it; stderr goes into the same full pipe."""
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
        assert time.monotonic() - began < 10  # 1 s, on a machine that does nothing else
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
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for the reader, who has not begun
            process.wait(0.8)
        text = first + process.stdout.read()
        assert process.wait(20) == 0
        said = process.stderr.read().decode()
    assert len(lines(text.decode())) == sf.info(DEMO).frames // 160 - 299
    assert "lost" not in said


def test_a_live_input_loses_lines_that_nobody_reads_and_says_how_many(monkeypatch: pytest.MonkeyPatch):
    import noisewatch.outputs.stdout

    outof, into = os.pipe()
    with os.fdopen(into, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        out = noisewatch.outputs.stdout.StdoutWriter(live=True)
        for number in range(40_000):
            out.line(f"{number:099}")  # 4 MB
        assert out.lost > 25_000
        out.close()
        os.set_blocking(outof, False)
        text = b""
        with contextlib.suppress(BlockingIOError):
            while len(text) < 4_000_000:
                text += os.read(outof, 1 << 16)
        taken = text.decode().splitlines()
        assert [int(line) for line in taken] == list(range(len(taken)))
    os.close(outof)


@pytest.mark.parametrize("words", ["listen demo --json --fast", "--help", "listen --help"])
def test_a_reader_that_has_enough_ends_it_quietly(words: str):
    command = f"{sys.executable} -m noisewatch {words} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd="/tmp", check=False)
    first, code = done.stdout.splitlines()
    assert "--json" not in words or json.loads(first)["type"] == "reading"
    assert code == "0"
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_a_wav_that_ends_early_is_judged_and_said(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, frames=16_000 * 8)
    sf.write(tmp_path / "a.wav", samples, rate)
    data = (tmp_path / "a.wav").read_bytes()[: 16_000 * 8 + 44]
    done = run("listen", "-", "--json", input=data, text=False)
    assert done.returncode == 6
    assert "stdin ended early: its header promises 8.0 s, and 4.0 s were there" in done.stderr.decode()
    assert len(lines(done.stdout.decode())) == 11


def test_a_recording_damaged_in_its_middle_keeps_its_events(run, tmp_path: Path):
    (tmp_path / "a.flac").write_bytes(DEMO.read_bytes()[:300_000])
    done = run("listen", tmp_path / "a.flac", *FAST, "--threshold", 0.3)
    assert done.returncode == 6
    assert [e["event"] for e in lines(done.stdout, "event")] == ["noise_start", "noise_end"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_behind_stdout(tmp_path: Path):
    """The log is whole all the same: here the disk is full at once, there in the midst of the noise."""
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


def test_lines_that_were_not_written_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import noisewatch.outputs.stdout

    with (tmp_path / "out").open("w") as stdout, largest_file(50_050):
        monkeypatch.setattr(sys, "stdout", stdout)
        out = noisewatch.outputs.stdout.StdoutWriter(live=False)
        for number in range(600):
            with contextlib.suppress(OSError):
                out.line(f"{number:099}")
        wait_for(lambda: out.error)
        for number in range(400):
            with contextlib.suppress(OSError):
                out.line(f"{number:099}")
        out.close()
    assert (len((tmp_path / "out").read_text().splitlines()), out.lost) == (501, 500)  # one of them is cut


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_in_order(number: int, code: int):
    command = [sys.executable, "-m", "noisewatch", "listen", "demo", "--json"]
    ignored = "trap '' HUP INT; exec \"$@\"" if code == 143 else 'exec "$@"'  # as nohup and & leave it
    with subprocess.Popen(
        ["sh", "-c", ignored, "-", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/tmp",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline()
        if code == 143:
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGINT)
            assert json.loads(process.stdout.readline())["time"] == 3.1
        process.send_signal(number)
        rest, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert json.loads(first)["time"] == 3.0
    assert all(json.loads(line) for line in rest.splitlines())
    assert "heard" in err
    assert "Traceback" not in err


def test_no_microphone_suggests_the_demo(run, tmp_path: Path):
    pytest.importorskip("sounddevice", exc_type=OSError, reason="the PortAudio library is not installed")
    # No configuration that names a sound server, and none in reach.
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": "unix:/nowhere"}
    if run("devices", env=env).returncode == 0:
        pytest.skip("this machine has a microphone")
    done = run("listen", env=env)
    assert done.returncode == 4
    assert "noisewatch listen demo" in done.stderr
    assert "ALSA" not in done.stderr


def test_no_portaudio_names_the_package(run, tmp_path: Path):
    # A stand-in that fails as the real module does without its library.
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    done = run("devices", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 4
    assert "libportaudio2" in done.stderr
    assert run("listen", "demo", *FAST, "--seconds", 4, env={"PYTHONPATH": str(tmp_path)}).returncode == 0


def test_the_name_of_a_device_cannot_steer_the_terminal(run, tmp_path: Path):
    device = {
        "index": 0,
        "name": "a\x1b[2Jb\n[bold]c",
        "hostapi": 0,
        "max_input_channels": 1,
        "default_samplerate": 8e3,
    }
    (tmp_path / "sounddevice.py").write_text(
        f"class PortAudioError(Exception): pass\n"
        f"def query_hostapis(): return [{{'name': 'api'}}]\n"
        f"def query_devices(kind=None): return {device} if kind else [{device}]\n"
        f"def InputStream(**options): raise PortAudioError('no')\n"
    )
    for words in (["devices"], ["listen"], ["listen", "--device", "x"], ["calibrate", "--channel", "2"]):
        done = run(*words, env={"PYTHONPATH": str(tmp_path)})
        assert "a?[2Jb?[bold]c" in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr


def test_without_the_training_extra_it_says_which_line_brings_it(run, tmp_path: Path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    done = run("train", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "pip install '.[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_stored(run, tmp_path: Path):
    """Not by us, and not by the libraries either."""
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    assert run("listen", "demo", "--fast", env=home, cwd=tmp_path).returncode == 0
    assert run("scan", DEMO, env=home, cwd=tmp_path).returncode == 0
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("listen --fast", "--fast would be ignored without a recording"),
        ("listen demo --pre-roll 3", "--pre-roll would be ignored without --keep-clips"),
        ("listen demo --threshold 0.8 --calibration", "--calibration would be ignored beside --threshold"),
        ("listen demo --calibration", "--calibration would be ignored beside SOURCE"),
        ("scan demo --address here", "--address would be ignored without --engine ray"),
        ("scan demo --engine ray --jobs 2", "--jobs would be ignored beside --engine"),
        ("evaluate data --windows x.npz", "DATA would be ignored beside --windows"),
        (
            "evaluate --windows x.npz --split val --count 50 --seed 3",
            "--split and --count and --seed would be ignored",
        ),
        ("evaluate --dnsmos x.onnx", "--dnsmos would be ignored without --baselines"),
        ("evaluate --json -o report", "--json would be ignored beside --out"),
        ("prepare --demo --speech voices", "--speech would be ignored beside --demo"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run, words: str, sentence: str):
    done = run(*words.split())
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
