"""Recordings as real programs write them, run through the commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from conftest import DEMO, reports
from sound_files import CODECS, RATE, encoded, wav
from typer.testing import CliRunner, Result

from noisewatch.cli.app import app


@pytest.fixture(scope="module")
def field(ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as various programs write it: 27 s of a voice, with noise from 11 to 21 s; and parts of it."""
    folder = tmp_path_factory.mktemp("field")
    demo, _ = sf.read(DEMO, dtype="float32")
    stereo = np.repeat(soxr.resample(demo, RATE, 48_000)[:, None] * 32767, 2, 1)
    rng = np.random.default_rng(0)
    hiss = 0.05 * rng.standard_normal(len(demo))
    voice = demo[: 9 * RATE]
    pieces = [demo[a * RATE : (a + 9) * RATE] for a in (0, 11)]
    files = {
        "ffmpeg_51.wav": ffmpeg("-i", DEMO, "-ac", 6, "-ar", 48_000, "-f", "wav", "-"),
        "sox.wav": wav(0x7FFFF000, stereo, 48_000),
        "arecord.wav": wav(0x80000000, stereo, 48_000),
        "crashed.wav": wav(0, demo[:, None] * 32767, RATE),
        "stream.flac": ffmpeg("-i", DEMO, "-f", "flac", "-"),
        "two.mp3": b"".join(encoded(piece, *CODECS["mp3"], 48_000) for piece in pieces),
        "two.opus": b"".join(encoded(piece, *CODECS["opus"], 48_000) for piece in pieces),
        "sides.wav": encoded(np.stack([voice, hiss[: len(voice)]], 1), *CODECS["wav"]),
        "dc.wav": encoded(np.clip(voice + 0.07, -1, 1), *CODECS["wav"]),
        "adpcm.wav": encoded(demo[: 14 * RATE], "WAV", "MS_ADPCM"),
        "wide.wav": wav(4096, np.zeros((2, 1024)), 0x7FFFFFFF),
        "hiss.wav": encoded(hiss[: 3 * RATE], *CODECS["wav"]),
        "hissing voice.wav": encoded(voice[2 * RATE : 5 * RATE] + hiss[: 3 * RATE], *CODECS["wav"]),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    ffmpeg("-i", DEMO, "-c:a", "wmav2", folder / "wma.wav")
    return folder


WHOLE = r"NOISY: 3[3-6]% of 27 s is noisy, SNR \d+ dB while it is noisy, 4\d dB otherwise"
HALF = "NOISY: (4|5).% of 18 s is noisy"


@pytest.mark.parametrize(
    ("name", "options", "code", "answer", "piped"),
    [
        ("ffmpeg_51.wav", (), 3, WHOLE, WHOLE),
        ("sox.wav", (), 3, WHOLE, None),
        ("arecord.wav", (), 3, WHOLE, None),
        ("crashed.wav", (), 3, f"header of .*crashed.wav was never finali.*\n{WHOLE}", None),
        ("stream.flac", (), 3, WHOLE, WHOLE),
        ("two.mp3", (), 3, HALF, HALF),
        ("two.opus", (), 3, HALF, None),
        ("sides.wav", ("--channel", "1"), 0, "OK: 0% of 9 s", None),
        ("sides.wav", ("--channel", "2"), 3, "NOISY: 100% of 9 s", None),
        ("dc.wav", (), 0, "OK: 0% of 9 s is noisy, SNR 4[2-4] dB", None),
        ("adpcm.wav", (), 0, "OK: 1.% of 14 s", "MS ADPCM; allowed in a pipe: PCM"),
        ("wide.wav", (), 6, "2147483647 Hz; allowed", "2147483647 Hz; allowed"),
        ("wma.wav", (), 3, WHOLE.replace("3[3-6]", "39"), None),
        ("hiss.wav", (), 3, "NOISY: 100% of 3 s is noisy, no speech", None),
        ("hissing voice.wav", (), 3, "NOISY: 100% of 3 s", None),
    ],
    ids=lambda value: str(value)[:14],
)
def test_check_answers_for_field_recordings(field: Path, tmp_path: Path, name, options, code, answer, piped):
    done = CliRunner().invoke(app, ["check", str(field / name), *options])
    assert done.exit_code == code
    assert re.search(answer, done.output), done.output
    if piped is not None:
        done = check_pipe(field / name, tmp_path / name, *options)
        assert done.exit_code == (code if piped == answer else 6)
        assert re.search(piped, done.output), done.output


def check_pipe(path: Path, pipe: Path, *options: str) -> Result:
    """Run `check` on a new named pipe that carries a file."""
    os.mkfifo(pipe)
    writer = subprocess.Popen(["cp", path, pipe], stderr=subprocess.DEVNULL)
    done = CliRunner().invoke(app, ["check", str(pipe), *options])
    writer.kill()
    writer.wait()
    return done


def test_check_scan_and_listen_agree(run, tmp_path: Path):
    """On two pieces in one file, an unfinished header and inverted channels."""
    voice, _ = sf.read(DEMO, dtype="float32")
    noisy = voice[11 * RATE : 15 * RATE]
    two, crashed, inverted = tmp_path / "two.mp3", tmp_path / "crashed.wav", tmp_path / "inverted.wav"
    two.write_bytes(encoded(voice[: 4 * RATE], *CODECS["mp3"]) + encoded(noisy, *CODECS["mp3"]))
    crashed.write_bytes(wav(0, noisy[:, None] * 32767, RATE))
    sf.write(inverted, np.stack([noisy, -noisy], 1), RATE)
    scan = run("scan", tmp_path, "--format", "jsonl")
    found = reports(scan.stdout)
    assert found["two.mp3"]["seconds"] == pytest.approx(8, abs=0.01)
    assert 0.2 < found["two.mp3"]["noisy"] < 0.8
    assert "unfinished" in found["crashed.wav"]["warnings"]
    assert "cancelled" in found["inverted.wav"]["warnings"]
    assert "crashed.wav was never finalised" in scan.stderr
    for path, note in ((two, None), (crashed, "unfinished"), (inverted, "cancelled")):
        done = CliRunner().invoke(app, ["check", str(path), "--json"])
        piped = check_pipe(path, pipe := path.with_suffix(".pipe"), "--json")
        assert done.exit_code == piped.exit_code == 3
        answer, again = json.loads(done.stdout), json.loads(piped.stdout)
        assert answer["warnings"] == again["warnings"] == ([note] if note else [])
        assert answer | {"source": str(pipe)} == again
        assert answer["snr_db"] is not None, "the voice is heard"
        assert (len(done.stderr.splitlines()) == 1) == bool(note)
    done = run("listen", inverted, "--fast", "--json")
    assert "cancel each other" in done.stderr


def test_an_empty_name_is_an_error():
    done = CliRunner().invoke(app, ["check", ""])
    assert done.exit_code == 6
    assert "is empty ('')" in done.stderr
