"""Recordings that end early, are damaged, or continue with data that cannot be decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from sound_files import CODECS, RATE, encoded, from_file, from_pipe, heard, wav


@pytest.mark.parametrize("length", [0.5, 0.99])
def test_an_early_end_is_an_error(tmp_path: Path, length: float):
    samples = np.ones((RATE * 20, 1)) * 100
    whole = wav(2 * len(samples), samples, RATE)
    long = wav(12 * 3600 * RATE * 2, samples, RATE)  # more than a working day, but no less credible
    for name, data in {"a.wav": whole[: int(length * len(whole))], "b.wav": long}.items():
        path = tmp_path / name
        path.write_bytes(data)
        for source in (from_file(path), from_pipe(path)):
            assert "ended early" in heard(source)[1]


def test_a_truncated_flac_is_decoded_up_to_the_damage(tmp_path: Path):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    data = encoded(voice, *CODECS["flac"])
    path = tmp_path / "a.flac"
    path.write_bytes(data[: len(data) // 2])
    for source in (from_file(path), from_pipe(path)):
        samples, error = heard(source)
        assert 2 < len(samples) / RATE < 4
        assert f"cannot be read beyond {len(samples) / RATE:.1f} s" in error
        assert np.array_equal(samples, voice[: len(samples)])


def test_a_flac_without_a_length_is_decoded_to_its_end(tmp_path: Path):
    voice, _ = sf.read(DEMO, dtype="float32")
    data = bytearray(DEMO.read_bytes())
    data[21] &= 0xF0  # STREAMINFO: 36 bits
    data[22:26] = bytes(4)
    path = tmp_path / "a.flac"
    path.write_bytes(data)
    for source in (from_file(path), from_pipe(path)):
        samples, error = heard(source)
        assert error == ""
        assert np.array_equal(samples, voice)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac"])
def test_lost_bytes_are_weighed_by_the_bitrate(tmp_path: Path, kind: str):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    data = encoded(voice, *CODECS[kind])
    path = tmp_path / f"a.{kind}"
    for seconds, want in ((0.7, ""), (2.0, "only the first 6.0 s")):
        noise = np.random.default_rng(0).bytes(int(seconds * len(data) / 6))
        for tag in (b"", b"TAG" + bytes(125)):
            path.write_bytes(data + tag + noise)
            error = heard(from_file(path))[1]
            assert error.startswith(want) if want else error == "", (seconds, tag)


def test_another_recording_after_the_first_is_decoded_or_reported(ffmpeg, tmp_path: Path):
    """Files joined with cat, of one format or two, are decoded to the end or end in an error."""
    made: dict[str, bytes] = {}
    options = {"m4a": ["-c:a", "aac"], "mov": ["-c:a", "aac"], "3gp": ["-c:a", "aac"], "wma": ["-c:a", "wmav2"],
               "flv": ["-c:a", "libmp3lame", "-ar", "22050"], "tta": [], "aac": ["-c:a", "aac"],
               "webm": ["-c:a", "libopus"], "avi": ["-c:a", "libmp3lame"], "voc": [], "mp3": [], "ogg": [],
               "opus": [], "flac": [], "wav": [], "aiff": [], "au": [], "oga": ["-c:a", "flac"]}  # fmt: skip
    outputs = [part for name, chosen in options.items() for part in ("-t", "3", *chosen, tmp_path / f"a.{name}")]
    ffmpeg("-i", DEMO, *outputs)
    for name in options:
        made[name] = (tmp_path / f"a.{name}").read_bytes()
    for name in ("m4a", "mov", "3gp", "wma", "flv", "tta", "flac mp3", "mp3 ogg", "ogg mp3", "opus mp3", "flac ogg",
                 "wav mp3", "wav flac", "wav aac", "wav opus", "wav webm", "wav m4a", "wav wma", "au mp3",
                 "m4a wav",
                 "wma wav", "webm mp3", "aac m4a", "oga mp3"):  # fmt: skip
        first, second = name.split() if " " in name else (name, name)
        path = tmp_path / f"{name}.{first}"
        path.write_bytes(made[first] + made[second])
        for source in (from_file(path), from_pipe(path)):
            samples, error = heard(source)
            seconds = len(samples) / source.sample_rate
            assert seconds == pytest.approx(3, abs=0.15), name
            assert f"only the first {seconds:.1f} s" in error, name
            assert "another recording begins after them" in error, name
    for name in ("aac", "webm", "avi", "voc", "oga", "wav aiff", "wav au", "au wav"):
        first, second = name.split() if " " in name else (name, name)
        path = tmp_path / f"{name}.{first}"
        path.write_bytes(made[first] + made[second])
        for source in (from_file(path), from_pipe(path)):
            samples, error = heard(source)
            assert (len(samples) / source.sample_rate, error) == (pytest.approx(6, abs=0.2), ""), name
