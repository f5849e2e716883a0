"""Recordings and pipes as the field makes them: what is judged of each, and what is said."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from conftest import DEMO, lines, wait_for
from typer.testing import CliRunner

import noisewatch.core.session
from noisewatch.audio.downmix import Downmix
from noisewatch.cli.app import app
from noisewatch.core.events import Event, Reading
from noisewatch.core.noise_detector import NoiseDetector
from noisewatch.core.session import Session
from noisewatch.corpus.manifest import load_audio
from noisewatch.decoding.containers import Rest, behind
from noisewatch.decoding.decoders import open_pipe
from noisewatch.decoding.pipe import Pipe
from noisewatch.decoding.signatures import search
from noisewatch.errors import InputError, UsageError
from noisewatch.inputs.piped import Piped
from noisewatch.inputs.recording import Recording, open_recording

RATE = 16_000


def heard(source: Recording) -> tuple[np.ndarray, str]:
    """All that a source gives, and what it says in the end."""
    blocks, said = [np.zeros(0, np.float32)], ""
    try:
        for block in source.blocks():
            blocks.append(block)
    except InputError as error:
        said = str(error)
    return np.concatenate(blocks), said


def from_file(path: Path) -> Recording:
    return open_recording(path, path.name)


@pytest.fixture
def from_pipe() -> Iterator[Callable[[Path], Recording]]:
    """Opens a file through a real pipe."""
    writers: list[subprocess.Popen[bytes]] = []

    def opened(path: Path) -> Recording:
        writer = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        writers.append(writer)
        assert writer.stdout is not None
        return Recording(open_pipe(Pipe(writer.stdout.fileno(), "stdin"), "stdin"), "stdin")

    yield opened
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
        writer.wait(10)


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """Four seconds of a voice, stereo, the second side softer."""
    samples, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    return np.stack([samples, samples * 0.5], 1)


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
)
def test_a_pipe_gives_the_samples_of_the_file(clip: np.ndarray, tmp_path: Path, from_pipe, subtype: str):
    tried = 0
    for form in ("WAV", "WAVEX", "RF64", "W64", "AU", "AIFF", "CAF"):
        for endian in ("FILE", "LITTLE", "BIG"):
            if not sf.check_format(form, subtype, endian):
                continue
            path = tmp_path / f"{form}-{endian}"
            sf.write(path, clip, RATE, subtype, endian, form)
            if path.stat().st_size > 1000:
                tried += 1
                want, got = heard(from_file(path)), heard(from_pipe(path))
                assert want[1] == got[1] == ""
                assert np.array_equal(want[0], got[0]), path.name
    assert tried >= 3


def encoded(samples: np.ndarray, form: str, subtype: str, rate: int = RATE, **options: float) -> bytes:
    """A recording of samples at 16 kHz, in a format and at a rate."""
    file = io.BytesIO()
    mono = soxr.resample(samples, RATE, rate) if rate != RATE else samples
    with sf.SoundFile(file, "w", rate, mono.ndim, subtype, None, form, **options) as sound:
        sound.write(mono)
    return file.getvalue()


def id3(size: int) -> bytes:
    """A tag with a picture, as it stands in front of an MP3."""
    body = b"APIC" + struct.pack(">I", size) + b"\0\0" + np.random.default_rng(size).bytes(size)
    return b"ID3\x03\0\0" + bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0)) + body


CODECS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
    "wav": ("WAV", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "aiff": ("AIFF", "PCM_24"),
    "w64": ("W64", "PCM_U8"),
    "caf": ("CAF", "FLOAT"),
}


@pytest.mark.parametrize("kind", CODECS)
def test_all_pieces_of_a_recording_are_judged(tmp_path: Path, from_pipe, kind: str):
    voice, _ = sf.read(DEMO, dtype="float32")
    cuts = [voice[a * RATE : b * RATE] for a, b in ((0, 3), (11, 14), (20, 22))]
    one, two, three = (encoded(cut, *CODECS[kind]) for cut in cuts)
    other = encoded(np.stack([cuts[1]] * 2, 1), *CODECS[kind], 24_000 if kind == "opus" else 44_100)
    tag = b"TAG" + b"x" * 125
    noise = np.random.default_rng(0).bytes(3000)
    whole = {
        "three": (one + two + three, 8),
        "the same": (one + one, 6),
        "higher": (one + other, 6),
        "lower": (other + one, 6),
        "junk": (one + two + noise, 6),
        "zeros": (one + bytes(50_000), 3),
    }
    if kind == "mp3":
        whole["tags"] = (id3(9000) + one + tag + id3(80_000) + two + tag + three + tag, 8)
        whole["between"] = (one + noise + two, 6)
    for name, (data, seconds) in whole.items():
        path = tmp_path / f"{name}.{kind}"
        path.write_bytes(data)
        samples, said = heard(source := from_file(path))
        assert (len(samples) / source.sample_rate, said) == (pytest.approx(seconds, abs=0.01), ""), name
        assert source.promised_s == pytest.approx(seconds, abs=0.01), name
        if name in ("higher", "lower"):
            assert source.sample_rate == (24_000 if kind == "opus" else 44_100), "nothing is lost"
    piped, said = heard(from_pipe(tmp_path / f"three.{kind}"))
    assert said == ""
    assert np.array_equal(piped, heard(from_file(tmp_path / f"three.{kind}"))[0])
    # A piece alone, and the same piece behind another.
    path = tmp_path / f"alone.{kind}"
    path.write_bytes(two)
    assert np.array_equal(heard(from_file(path))[0], piped[3 * RATE : 6 * RATE])


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac"])
def test_a_piece_that_cannot_be_read_is_said(tmp_path: Path, kind: str):
    voice, _ = sf.read(DEMO, dtype="float32")
    one, two = (encoded(voice[a * RATE : b * RATE], *CODECS[kind]) for a, b in ((0, 3), (11, 18)))
    noise = np.random.default_rng(0).bytes(100_000)
    cases = {
        "cut": one + two[: len(two) // 2],
        "header": one + noise[:300] + two[300:],
        "middle": one + two[: len(two) // 2] + noise[:3000] + two[len(two) // 2 + 3000 :],
        "noise": one + noise[: len(two)],
        "hole": one + bytes(200_000),
    }
    if kind == "mp3":  # its frames can be read without the table that was in front
        del cases["header"]
    for name, data in cases.items():
        path = tmp_path / f"{name}.{kind}"
        path.write_bytes(data)
        samples, said = heard(from_file(path))
        assert "only the first" in said or "ended early" in said, name
        assert 3 <= len(samples) / RATE < 9, name
        assert f"{len(samples) / RATE:.1f} s" in said


def test_an_mp3_without_a_table_is_judged_to_its_end(tmp_path: Path, from_pipe):
    """libsndfile takes the length from the first frame, and stops there."""
    soft, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    loud = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32) * 0.2
    for name, parts in {"soft first": (soft * 1e-3, loud), "loud first": (loud, soft * 1e-3)}.items():
        data = encoded(np.concatenate(parts), *CODECS["mp3"], bitrate_mode="VARIABLE", compression_level=0.2)
        path = tmp_path / f"{name}.mp3"
        start = data.index(b"\xff\xf3")
        second = data.index(b"\xff\xf3", start + 60)  # the table is in the first frame
        path.write_bytes(data[second:])
        for source in (from_file(path), from_pipe(path)):
            samples, said = heard(source)
            assert said == ""
            assert len(samples) / RATE == pytest.approx(8, abs=0.15), name


def width_of(coding: str) -> int:
    """Bytes of a sample."""
    return 3 if coding == "s24" else np.dtype(coding).itemsize


def wav(size: int, samples: np.ndarray, rate: int, coding: str = "<i2", tag: int = 1) -> bytes:
    """A WAV whose header claims so many bytes of audio."""
    channels, width = samples.shape[1], width_of(coding)
    data = samples.astype("<i4" if coding == "s24" else coding).tobytes()
    if coding == "s24":
        data = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, :3].tobytes()
    head = struct.pack(
        "<IHHIIHH", 16, tag, channels, rate, rate * channels * width & 0xFFFFFFFF, channels * width, 8 * width
    )
    sizes = struct.pack("<I", size + 36 & 0xFFFFFFFF), struct.pack("<I", size)
    return b"RIFF" + sizes[0] + b"WAVEfmt " + head + b"data" + sizes[1] + data


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0xFFFFF000, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 0])
@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_length_that_nobody_knew_is_no_promise(tmp_path: Path, from_pipe, claimed: int, rate: int, channels: int):
    samples = np.random.default_rng(0).uniform(-9000, 9000, (rate // 2, channels))
    for coding, tag in (("u1", 1), ("<i2", 1), ("s24", 1), ("<i4", 1), ("<f4", 3), ("<f8", 3)):
        frame = channels * width_of(coding)
        for size in {claimed, claimed // frame * frame, max(0, claimed - 44)}:
            path = tmp_path / "a.wav"
            path.write_bytes(wav(size, samples / 9000, rate, coding, tag))
            source = from_file(path)
            got, said = heard(source)
            assert (len(got), said) == (len(samples), ""), (hex(size), coding)
            assert source.notes == ([] if size else ["unfinished"])
    piped = from_pipe(path)
    assert np.array_equal(heard(piped)[0], got)
    assert piped.notes == source.notes


def test_a_round_promise_of_hours_is_none(tmp_path: Path, from_pipe):
    samples = np.random.default_rng(0).uniform(-9000, 9000, (RATE, 2))
    path = tmp_path / "a.wav"
    for claimed in (0xFFFF0000, 0x7FFF0000, 0xF0000000, 0x40000000, 0x40000000 - 44):
        path.write_bytes(wav(claimed, samples, RATE))
        for source in (from_file(path), from_pipe(path)):
            got, said = heard(source)
            assert (len(got), said) == (RATE, ""), hex(claimed)


@pytest.mark.parametrize("length", [0.5, 0.99])
def test_a_genuine_early_end_is_an_error(tmp_path: Path, from_pipe, length: float):
    samples = np.ones((RATE * 20, 1)) * 100
    whole = wav(2 * len(samples), samples, RATE)
    long = wav(12 * 3600 * RATE * 2, samples, RATE)  # more than a working day, and not to be believed less for that
    for name, data in {"a.wav": whole[: int(length * len(whole))], "b.wav": long}.items():
        path = tmp_path / name
        path.write_bytes(data)
        for source in (from_file(path), from_pipe(path)):
            assert "ended early" in heard(source)[1]


def test_siblings_of_wav_that_were_written_into_a_pipe(tmp_path: Path, from_pipe):
    """Sizes as ffmpeg and SoX leave them where they cannot seek back."""
    voice, _ = sf.read(DEMO, dtype="int16", frames=RATE, always_2d=True)
    le, be = voice.astype("<i2").tobytes(), voice.astype(">i2").tobytes()
    fmt = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    comm = struct.pack(">4sIHIHHQ", b"COMM", 18, 1, 0, 16, 16383 + 13, RATE << 50)
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    desc = struct.pack(">4sQd4sIIIII", b"desc", 32, RATE, b"lpcm", 2, 2, 1, 1, 16)
    files = {
        "au": struct.pack(">4sIIIII", b".snd", 24, 0xFFFFFFFF, 3, RATE, 1) + be,
        "aiff": b"FORM" + bytes(4) + b"AIFF" + comm + b"SSND" + struct.pack(">III", 0, 0, 0) + be,
        "sox.aiff": b"FORM" + struct.pack(">I", 0x7F00002E) + b"AIFF" + comm.replace(bytes(4), b"\x3f\x80\0\0", 1)
        + b"SSND" + struct.pack(">III", 0x7F000008, 0, 0) + be,
        "w64": b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0" + struct.pack("<q", -1) + b"wave" + guid
        + b"fmt " + guid + struct.pack("<Q", 40) + fmt + b"data" + guid + struct.pack("<Q", 2**63 - 1) + le,
        "rf64": b"RF64" + b"\xff" * 4 + b"WAVEds64" + struct.pack("<I", 28) + bytes(28)
        + b"fmt " + struct.pack("<I", 16) + fmt + b"data" + b"\xff" * 4 + le,
        "caf": b"caff\0\1\0\0" + desc + b"data" + struct.pack(">qI", -1, 0) + le,
    }  # fmt: skip
    for name, data in files.items():
        path = tmp_path / f"a.{name}"
        path.write_bytes(data)
        for source in (from_file(path), from_pipe(path)):
            samples, said = heard(source)
            assert said == "", name
            assert np.array_equal(samples, voice[:, 0] / np.float32(32768)), name


def test_headers_that_are_shorter_than_the_audio(tmp_path: Path, from_pipe):
    """A recorder that wrote its sizes now and then; more than 4 GiB, in 32 bits."""
    samples = np.random.default_rng(0).uniform(-9000, 9000, (RATE * 8, 1))
    path = tmp_path / "a.wav"
    for claimed, more in ((RATE * 4, b""), (RATE * 4, b"LIST\4\0\0\0abcd")):
        path.write_bytes(wav(claimed, samples, RATE)[: 44 + (claimed if more else 1 << 40)] + more)
        for source in (from_file(path), from_pipe(path)):
            assert len(heard(source)[0]) == (claimed // 2 if more else len(samples))
            assert source.notes == ([] if more else ["unfinished"])
    # Nothing was recorded, and there are only notes behind it.
    path.write_bytes(wav(0, samples[:0], RATE) + b"LIST\4\0\0\0abcd")
    for source in (from_file(path), from_pipe(path)):
        assert "holds no audio" in heard(source)[1]


def test_a_flac_without_a_count_ends_where_it_ends(tmp_path: Path, from_pipe):
    voice, _ = sf.read(DEMO, dtype="float32")
    data = bytearray(DEMO.read_bytes())
    data[21] &= 0xF0  # STREAMINFO: 36 bits
    data[22:26] = bytes(4)
    path = tmp_path / "a.flac"
    path.write_bytes(data)
    for source in (from_file(path), from_pipe(path)):
        samples, said = heard(source)
        assert said == ""
        assert np.array_equal(samples, voice)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (struct.pack("<IHHIIHH", 16, 1, 1024, 0x7FFFFFFF, 0, 2048, 16), "2147483647 Hz; allowed"),
        (struct.pack("<IHHIIHH", 16, 1, 65535, 48_000, 0, 0, 16), "65535 channels; allowed"),
        (struct.pack("<IHHIIHH", 16, 1, 0, 48_000, 0, 0, 16), "0 channels; allowed"),
        (struct.pack("<IHHIIHH", 16, 2, 1, 16_000, 0, 1, 4), "MS ADPCM; through a pipe PCM"),
        (struct.pack("<IHHIIHH", 16, 0x11, 1, 16_000, 0, 1, 4), "IMA ADPCM; through a pipe PCM"),
        (struct.pack("<IHHIIHH", 0x7FFFFFFF, 1, 1, 16_000, 0, 2, 16), "header is damaged"),
    ],
)
def test_what_a_pipe_cannot_be_is_said_at_once(tmp_path: Path, from_pipe, header: bytes, sentence: str):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt " + header + b"data\xff\xff\xff\xff" + bytes(9000))
    with pytest.raises(InputError, match=sentence):
        from_pipe(path)


@pytest.mark.parametrize(
    ("left", "right", "judged"),
    [
        (1.0, -1.0, "left"),
        (0.6, -1.0, "right"),
        (-1.0, 0.8, "left"),
        (1.0, 1.0, "mean"),
        (1.0, 0.0, "mean"),
        (1.0, -0.2, "mean"),
    ],
)
def test_channels_that_cancel(tmp_path: Path, from_pipe, left: float, right: float, judged: str):
    voice, _ = sf.read(DEMO, dtype="float32", frames=8 * RATE)
    hiss = np.random.default_rng(0).standard_normal((len(voice), 2)) * 1e-4
    both = (np.stack([voice * left, voice * right], 1) + hiss).astype(np.float32)
    path = tmp_path / "a.wav"
    sf.write(path, both, RATE, "FLOAT")
    samples, said = heard(source := from_file(path))
    want = {"left": both[:, 0], "right": both[:, 1], "mean": both.mean(axis=1)}[judged]
    assert said == ""
    assert source.notes == ([] if judged == "mean" else ["cancelled"])
    began = (
        0 if judged == "mean" else int(np.abs(voice).argmax())
    )  # it is silent at first, and the mean of that will do
    assert np.array_equal(samples[began:], want[began:])
    assert len(samples) == len(voice)
    assert np.array_equal(samples, heard(from_pipe(path))[0])


@pytest.mark.parametrize(
    ("gains", "offsets", "judged"),
    [((1, -1), (0.07, 0.07), 0), ((0.2, -0.2), (0.3, 0.3), 0), ((0.2, 0.2), (0.3, -0.3), None)],
)
def test_an_offset_hides_no_inverted_channel_and_is_none(gains, offsets, judged: int | None):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    both = (voice[:, None] * np.float32(gains) + np.float32(offsets)).astype(np.float32)
    mix = Downmix(2, RATE)
    mono = np.concatenate([mix.feed(both), mix.finish()])[RATE:]
    assert mix.cancelled == (judged is not None)
    assert np.array_equal(mono, (both.mean(axis=1) if judged is None else both[:, judged])[RATE:])
    flat = Downmix(2, RATE)
    flat.feed(np.full((RATE, 2), (0.3, -0.3), np.float32))
    assert not flat.cancelled


def test_a_channel_that_is_inverted_for_a_while_is_the_same_in_any_chunking():
    voice, _ = sf.read(DEMO, dtype="float32", frames=12 * RATE)
    sign = np.where((np.arange(len(voice)) // (3 * RATE)) % 2, -1, 1)
    both = np.stack([voice, voice * sign], 1).astype(np.float32)
    rng, results = np.random.default_rng(0), []
    for pieces in (1, 2, 50, 3000):
        mix = Downmix(2, RATE)
        cuts = np.sort(rng.integers(0, len(both), pieces - 1))
        parts = [mix.feed(part) for part in np.split(both, cuts)]
        results.append(np.concatenate([*parts, mix.finish()]))
        assert mix.cancelled
    assert all(np.array_equal(results[0], other) for other in results)
    assert np.abs(results[0]).max() <= np.abs(voice).max()  # what is faded goes no higher
    inverted = slice(11 * RATE, 12 * RATE)  # the change is heard after a second
    assert np.array_equal(results[0][inverted], voice[inverted])


def test_a_pipe_that_fails_ends_like_a_damaged_recording():
    """A terminal's other end, which gives an error when it is closed: what was heard counts, and noises end."""
    noisy, _ = sf.read(DEMO, dtype="int16", start=12 * RATE, frames=5 * RATE)
    reader, writer = pty.openpty()
    tty.setraw(writer)

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(noisy.tobytes())
            file.flush()
            termios.tcdrain(writer)

    threading.Thread(target=write).start()
    session = Session(Piped("pipe", reader, raw_rate=RATE), NoiseDetector().stream())
    events: list[str] = []
    with pytest.raises(InputError, match=r"cannot read pipe beyond 1[56][0-9]{4} bytes: Input/output error"):
        events += (item.event for item in session if isinstance(item, Event))
    os.close(reader)
    assert events == ["noise_start", "noise_end"]


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
def test_what_ffmpeg_decodes(ffmpeg, tmp_path: Path, from_pipe, name: str, options: list[str]):
    path = tmp_path / name
    ffmpeg("-i", DEMO, "-t", "6", *options, path)
    if name == "two.oga":
        path.write_bytes(path.read_bytes() * 2)
    seconds = 12 if name == "two.oga" else 6
    for source in (from_file(path), from_pipe(path)):
        samples, said = heard(source)
        assert (len(samples) / source.sample_rate, said) == (pytest.approx(seconds, abs=0.15), ""), name
    assert len(load_audio(path)) / RATE == pytest.approx(seconds, abs=0.15)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    if name == "a.m4a":  # its table of contents stands at the end
        with pytest.raises(InputError, match="cannot be read as audio"):
            from_file(path)
    elif name != "two.oga":
        samples, said = heard(source := from_file(path))
        assert f"cannot be read beyond {len(samples) / source.sample_rate:.1f} s" in said
        assert 2 < len(samples) / source.sample_rate < 5


def test_a_hostile_name_or_text_makes_ffmpeg_open_nothing_else(
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


def test_ffmpeg_ends_with_who_reads_from_it(ffmpeg, tmp_path: Path):
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


def test_an_ffmpeg_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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


def test_a_damaged_flac_is_judged_as_far_as_it_can_be_read(tmp_path: Path, from_pipe):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    data = encoded(voice, *CODECS["flac"])
    path = tmp_path / "a.flac"
    path.write_bytes(data[: len(data) // 2])
    for source in (from_file(path), from_pipe(path)):
        samples, said = heard(source)
        assert 2 < len(samples) / RATE < 4
        assert f"cannot be read beyond {len(samples) / RATE:.1f} s" in said
        assert np.array_equal(samples, voice[: len(samples)])


def test_what_follows_is_found_wherever_it_begins_and_nowhere_else(ffmpeg, tmp_path: Path):
    noise, path = np.random.default_rng(0).bytes(1 << 21), tmp_path / "a"
    assert search(io.BytesIO(noise), 0, len(noise)) == -1
    for form, options in {"mp4": [], "asf": [], "flv": ["-ar", "22050"], "w64": [], "tta": [], "voc": []}.items():
        ffmpeg("-i", DEMO, "-t", 1, *options, "-vn", "-f", form, path)
        for place in (1001, 1002, (1 << 20) - 3, (1 << 20) - 20):
            data = noise[:place] + path.read_bytes()
            assert search(io.BytesIO(data), 0, len(data), frames=False) == place, form
    for size in (1, 2, 3):
        assert search(io.BytesIO(b"f" * size), 0, size) == -1
    for head in (
        b"TTA1",
        b"FLV\x01",
        b"\x1aE\xdf\xa3",
        b"OggS",
        b"RIFF",
        b"\0\0\0\x08ftyp",
        b"0&\xb2u\x8ef\xcf\x11",
    ):
        path.write_bytes(head)
        assert behind(path) in (Rest(), Rest(cut=True)), head
    path.write_bytes(encoded(np.zeros(RATE * 60), *CODECS["flac"]))  # frames of a few bytes, like those of AAC
    samples, said = heard(from_file(path))
    assert (len(samples), said) == (60 * RATE, "")


def test_an_empty_name_is_not_a_folder(run):
    done = run("check", "")
    assert done.returncode == 6
    assert "is empty ('')" in done.stderr


def test_without_ffmpeg_it_says_what_would_help(run, tmp_path: Path):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (tmp_path / "take.raw").write_bytes(bytes(9000))
    env = {"PATH": str(tmp_path)}
    for command in ("check", "scan"):
        done = run(command, tmp_path / "film.mp4", env=env)
        assert done.returncode == 6
        assert "install ffmpeg and try again" in done.stderr
    assert "noisewatch check - --raw-rate 48000 <" in run("check", tmp_path / "take.raw").stderr


def test_raw_rate_is_for_what_has_no_header(run):
    data = DEMO.read_bytes()
    done = run("check", "-", "--raw-rate", 16_000, input=data, text=False)
    assert done.returncode == 2
    assert "stdin begins with fLaC" in done.stderr.decode()


def test_answers_through_all_commands(run, tmp_path: Path):
    """One file with two pieces and an unfinished header, one inverted: check, scan, listen, a pipe."""
    voice, _ = sf.read(DEMO, dtype="float32")
    noisy = voice[11 * RATE : 15 * RATE]
    two, crashed, inverted = tmp_path / "two.mp3", tmp_path / "crashed.wav", tmp_path / "inverted.wav"
    two.write_bytes(encoded(voice[: 4 * RATE], *CODECS["mp3"]) + encoded(noisy, *CODECS["mp3"]))
    crashed.write_bytes(wav(0, noisy[:, None] * 32767, RATE))
    sf.write(inverted, np.stack([noisy, -noisy], 1), RATE)
    scan = run("scan", tmp_path, "--format", "jsonl")
    found = {Path(r["path"]).name: r for r in lines(scan.stdout, "file")}
    assert found["two.mp3"]["seconds"] == pytest.approx(8, abs=0.01)
    assert 0.2 < found["two.mp3"]["noisy"] < 0.8
    assert "unfinished" in found["crashed.wav"]["warnings"]
    assert "cancelled" in found["inverted.wav"]["warnings"]
    assert "crashed.wav was never finalised" in scan.stderr
    for path, note in ((two, None), (crashed, "unfinished"), (inverted, "cancelled")):
        done = run("check", path, "--json")
        piped = run("check", "-", "--json", input=path.read_bytes(), text=False)
        assert done.returncode == piped.returncode == 3
        answer, again = json.loads(done.stdout), json.loads(piped.stdout)
        assert answer["warnings"] == again["warnings"] == ([note] if note else [])
        assert answer | {"source": "stdin"} == again
        assert answer["snr_db"] is not None, "the voice is heard"
        assert (len(done.stderr.splitlines()) == 1) == bool(note)
    done = run("listen", inverted, "--fast", "--json")
    assert "cancel each other" in done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends signals")
def test_ctrl_c_is_not_lost_while_pieces_are_read(tmp_path: Path):
    voice, _ = sf.read(DEMO, dtype="float32")
    path = tmp_path / "two.opus"
    path.write_bytes(encoded(voice, *CODECS["opus"]) * 2)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for trial in range(20):
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - wherever it comes
                signal.setitimer(signal.ITIMER_REAL, 0.002 + trial * 0.001)
                for _ in range(50):
                    heard(from_file(path))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_behind_a_whole_wav_a_pipe_may_stall_and_go_on(monkeypatch: pytest.MonkeyPatch):
    """Another WAV may follow; until then the last verdict must not stay."""
    monkeypatch.setattr(noisewatch.core.session, "STALL_S", 1.0)
    voice, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    data = encoded(voice, *CODECS["wav"])
    reader, writer = os.pipe()
    stalled = threading.Event()

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(data)
            file.flush()
            stalled.wait(20)
            file.write(data)

    threading.Thread(target=write).start()
    session = iter(Session(Piped("pipe", reader), NoiseDetector().stream()))
    before = list(itertools.takewhile(lambda item: isinstance(item, Reading), session))
    stalled.set()
    assert (before[-1].reason, before[-1].time) == ("stalled", 4.0)
    back, *after = session
    os.close(reader)
    assert (back.event, back.time) == ("input_back", 4.0)
    assert [item.time for item in after] == pytest.approx(np.arange(4.1, 8.05, 0.1))
    whole = NoiseDetector().stream().push(np.concatenate([voice, voice]), sample_rate=RATE)
    assert [item.noise for item in [*before[:-1], *after]] == pytest.approx([r.noise for r in whole], abs=1e-4)


def test_bytes_that_are_no_block_yet_are_no_stall():
    reader, writer = os.pipe()
    blocks = Piped("pipe", reader, raw_rate=16_000).blocks()
    assert next(blocks) is None
    os.write(writer, bytes(100))
    assert len(next(blocks)) == 0
    assert next(blocks) is None
    os.write(writer, bytes(3_100))
    assert len(next(blocks)) == 1_600
    os.close(writer)
    assert list(blocks) == []
    os.close(reader)


def test_mp3_within_a_video_is_left_to_ffmpeg(ffmpeg, tmp_path: Path, from_pipe):
    path = tmp_path / "a.mp4"
    video = ("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=4")
    ffmpeg(*video, "-i", DEMO, "-t", "4", "-c:a", "libmp3lame", "-q:a", "5", path)
    for source in (from_file(path), from_pipe(path)):
        samples, said = heard(source)
        assert said == ""
        assert len(samples) / source.sample_rate == pytest.approx(4, abs=0.15)


@pytest.fixture(scope="module")
def field(ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings as programs leave them, of the demo: a voice, with noise behind it from 11 to 21 of its 27 s."""
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
    ("name", "options", "code", "said", "piped"),
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
        ("adpcm.wav", (), 0, "OK: 1.% of 14 s", "MS ADPCM; through a pipe PCM"),
        ("wide.wav", (), 6, "2147483647 Hz; allowed", "2147483647 Hz; allowed"),
        ("wma.wav", (), 3, WHOLE, None),
        ("hiss.wav", (), 3, "NOISY: 100% of 3 s is noisy, nobody spoke", None),
        ("hissing voice.wav", (), 3, "NOISY: 100% of 3 s", None),
    ],
    ids=lambda value: str(value)[:14],
)
def test_the_field_gets_its_answers(field: Path, tmp_path: Path, name, options, code, said, piped):
    done = CliRunner().invoke(app, ["check", str(field / name), *options])
    assert done.exit_code == code
    assert re.search(said, done.output), done.output
    if piped is not None:
        os.mkfifo(tmp_path / name)
        writer = subprocess.Popen(["cp", field / name, tmp_path / name], stderr=subprocess.DEVNULL)
        done = CliRunner().invoke(app, ["check", str(tmp_path / name), *options])
        writer.kill()
        writer.wait()
        assert done.exit_code == (code if piped == said else 6)
        assert re.search(piped, done.output), done.output


def test_another_recording_behind_the_first_is_judged_or_said(ffmpeg, tmp_path: Path, from_pipe):
    """Joined with cat, in one format or two: to the end, or a sentence; never half of it without a word."""
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
            samples, said = heard(source)
            seconds = len(samples) / source.sample_rate
            assert seconds == pytest.approx(3, abs=0.15), name
            assert f"only the first {seconds:.1f} s" in said, name
            assert "another recording begins after them" in said, name
    for name in ("aac", "webm", "avi", "voc", "oga", "wav aiff", "wav au", "au wav"):
        first, second = name.split() if " " in name else (name, name)
        path = tmp_path / f"{name}.{first}"
        path.write_bytes(made[first] + made[second])
        for source in (from_file(path), from_pipe(path)):
            samples, said = heard(source)
            assert (len(samples) / source.sample_rate, said) == (pytest.approx(6, abs=0.2), ""), name


def test_what_stands_behind_a_container_is_weighed(ffmpeg, tmp_path: Path):
    """Bytes worth more than a second are said, tags and padding are not; an end in the middle is."""
    noise = np.random.default_rng(0).bytes(1 << 16)
    path = tmp_path / "a"
    ways = {"mp4": ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"], "asf": ["-c:a", "wmav2"],
            "flv": ["-c:a", "libmp3lame", "-ar", "22050"], "matroska": ["-c:a", "libopus"], "avi": []}  # fmt: skip
    for form, options in ways.items():
        data = ffmpeg("-i", DEMO, "-t", 4, *options, "-f", form, "-")
        cases = {"": data}
        if form in ("mp4", "flv"):
            cases |= {"tag": data + b"TAG" + bytes(125), "zeros": data + bytes(9000)}
            cases |= {"only the first 4.": data + noise, "cut off after": data[: len(data) * 2 // 3]}
            cases |= {"only the first 4": data + noise[: len(data) // 2]}
        for want, content in cases.items():
            path.write_bytes(content)
            said = heard(from_file(path))[1]
            if want == "cut off after" and form == "mp4":
                want = "cannot be read beyond"
            assert (want in said) if " " in want else said == "", (form, want)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac"])
def test_lost_bytes_are_weighed_by_the_bitrate(tmp_path: Path, kind: str):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    data = encoded(voice, *CODECS[kind])
    path = tmp_path / f"a.{kind}"
    for seconds, want in ((0.7, ""), (2.0, "only the first 6.0 s")):
        noise = np.random.default_rng(0).bytes(int(seconds * len(data) / 6))
        for tag in (b"", b"TAG" + bytes(125)):
            path.write_bytes(data + tag + noise)
            said = heard(from_file(path))[1]
            assert said.startswith(want) if want else said == "", (seconds, tag)


@pytest.mark.parametrize("form", ["AIFF", "AU", "CAF", "W64"])
def test_a_promise_of_a_third_or_of_too_much_is_judged_to_the_end(tmp_path: Path, from_pipe, form: str):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    data = encoded(voice, form, "PCM_16")
    order, head = {"AIFF": (">I", 8), "AU": (">I", 0), "CAF": (">Q", 4), "W64": ("<Q", 24)}[form]
    sizes = [struct.pack(order, 2 * length + head) for length in (len(voice), len(voice) // 3)]
    path = tmp_path / "a"
    assert data.count(sizes[0]) == 1
    path.write_bytes(data.replace(*sizes))
    for source in (from_file(path), from_pipe(path)):
        samples, said = heard(source)
        assert (len(samples), said, source.notes) == (len(voice), "", ["unfinished"])
    path.write_bytes(data[: len(data) // 2])
    for source in (from_file(path), from_pipe(path)):
        samples, said = heard(source)
        assert len(samples) == pytest.approx(len(voice) / 2, abs=2100)
        assert "ended early: its header promises 6.0 s" in said


def test_a_wav_with_two_data_chunks_is_judged_to_its_end(tmp_path: Path, from_pipe):
    samples = np.random.default_rng(0).uniform(-9000, 9000, (4 * RATE, 1))
    one, two = wav(2 * RATE * 2, samples[: 2 * RATE], RATE), samples[2 * RATE :].astype("<i2").tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(one + b"LIST\4\0\0\0abcd" + b"data" + struct.pack("<I", len(two)) + two)
    for source in (from_file(path), from_pipe(path)):
        got, said = heard(source)
        assert said == ""
        assert np.array_equal(got, samples[:, 0].astype("<i2").astype(np.float32) / 32768)
