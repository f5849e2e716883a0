"""Decoding with ffmpeg: formats, hostile input, and the end of the process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import DEMO, wait_for
from sound_files import RATE, from_file, from_pipe, heard, wav
from typer.testing import CliRunner

from noisewatch.cli.app import app
from noisewatch.corpus.manifest import load_audio
from noisewatch.errors import InputError, UsageError
from noisewatch.inputs.recording import open_recording


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4a", ["-c:a", "aac"]),
        ("front.m4a", ["-c:a", "aac", "-movflags", "faststart"]),
        ("a.webm", ["-c:a", "libopus"]),
        ("a.aac", ["-c:a", "aac"]),
        ("a.wma", ["-c:a", "wmav2"]),
        ("two.oga", ["-c:a", "flac"]),
    ],
)
def test_formats_that_ffmpeg_decodes(ffmpeg, tmp_path: Path, name: str, options: list[str]):
    path = tmp_path / name
    ffmpeg("-i", DEMO, "-t", "6", *options, path)
    if name == "two.oga":
        path.write_bytes(path.read_bytes() * 2)
    seconds = 12 if name == "two.oga" else 6
    for source in (from_file(path), from_pipe(path)):
        samples, error = heard(source)
        assert (len(samples) / source.sample_rate, error) == (pytest.approx(seconds, abs=0.15), ""), name
    assert len(load_audio(path)) / RATE == pytest.approx(seconds, abs=0.15)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    if name == "a.m4a":  # its table of contents stands at the end
        with pytest.raises(InputError, match="cannot be read as audio"):
            from_file(path)
    elif name != "two.oga":
        samples, error = heard(source := from_file(path))
        assert f"cannot be read beyond {len(samples) / source.sample_rate:.1f} s" in error
        assert 2 < len(samples) / source.sample_rate < 5


def test_mp3_within_a_video_is_decoded_by_ffmpeg(ffmpeg, tmp_path: Path):
    path = tmp_path / "a.mp4"
    video = ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4")
    ffmpeg(*video, "-i", DEMO, "-t", "4", "-c:a", "libmp3lame", "-q:a", "5", path)
    for source in (from_file(path), from_pipe(path)):
        samples, error = heard(source)
        assert error == ""
        assert len(samples) / source.sample_rate == pytest.approx(4, abs=0.15)


def test_hostile_names_and_playlists_make_ffmpeg_open_nothing_else(
    ffmpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    ffmpeg("-i", DEMO, "-t", "2", "secret.m4a")
    shutil.copy(DEMO, "secret.flac")
    secret = (tmp_path / "secret.flac").as_posix()
    texts = {
        "concat.m4a": "ffconcat version 1.0\nfile secret.flac\n",
        "list.m4a": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "dash.mp4": '<?xml version="1.0"?><MPD><Period><AdaptationSet><BaseURL>secret.m4a</BaseURL></AdaptationSet>'
        "</Period></MPD>",
        "talk.sdp.m4a": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="cannot be read as audio"):
            open_recording(Path(name), name)
    # Names that are addresses, options or protocols to ffmpeg are names of files here.
    with pytest.raises(UsageError, match="no channel 2"):
        open_recording(Path("secret.m4a"), "secret.m4a", channel=2)
    for name in ("concat:secret.m4a|secret.m4a", "-i", "data:,x.m4a", "pipe:0", "%d.m4a"):
        with pytest.raises(InputError, match="no file at"):
            open_recording(Path(name), name)
        shutil.copy("secret.m4a", name)
        assert len(heard(open_recording(Path(name), name))[0]) > RATE
        (tmp_path / name).unlink()


def test_ffmpeg_ends_with_its_reader(ffmpeg, tmp_path: Path):
    path, marker = tmp_path / "long.mkv", f"noisewatch-{os.getpid()}"
    ffmpeg("-stream_loop", "60", "-i", DEMO, "-c:a", "pcm_s16le", path)
    env = {**os.environ, "NW_MARKER": marker}

    def running() -> bool:
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if (
                    marker.encode() in environ.read_bytes()
                    and b"ffmpeg" in environ.with_name("cmdline").read_bytes()
                ):
                    return True
        return False

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        command = [sys.executable, "-m", "noisewatch", "check", path]
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for(running)
            process.send_signal(number)
            process.wait(20)
        wait_for(lambda: not running(), 20)


def test_an_ffmpeg_that_hangs_is_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (tmp_path / "pcm").write_bytes(wav(0xFFFFFFFF, np.ones((100, 1)), RATE))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("noisewatch.decoding.ffmpeg.PATIENCE_S", 0.3)
    stub = tmp_path / "ffmpeg"
    stub.write_text("#!/bin/sh\nexec sleep 60\n")
    stub.chmod(0o755)
    with pytest.raises(InputError, match="ffmpeg: does not answer: it sent nothing for"):
        from_file(tmp_path / "film.mp4")
    stub.write_text(f"#!/bin/sh\ncat {tmp_path}/pcm\nexec sleep 60\n")
    assert "could be judged: ffmpeg does not answer" in heard(from_file(tmp_path / "film.mp4"))[1]


def test_without_ffmpeg_the_error_says_what_to_do(run, tmp_path: Path):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (tmp_path / "take.raw").write_bytes(bytes(9000))
    env = {"PATH": str(tmp_path)}
    checked = CliRunner().invoke(app, ["check", str(tmp_path / "film.mp4")], env=env)
    scanned = run("scan", tmp_path / "film.mp4", env=env)
    assert checked.exit_code == scanned.returncode == 6
    assert "install ffmpeg and try again" in checked.output
    assert "install ffmpeg and try again" in scanned.stderr
    with pytest.raises(InputError, match="noisewatch check - --raw-rate 48000 <"):
        from_file(tmp_path / "take.raw")
