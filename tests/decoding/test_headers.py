"""Headers of uncompressed audio: placeholders, wrong lengths and impossible formats."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from sound_files import RATE, encoded, from_file, from_pipe, heard, wav, width_of

from noisewatch.errors import InputError


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0xFFFFF000, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 0])
@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_placeholder_for_the_length_is_no_promise(tmp_path: Path, claimed: int, rate: int, channels: int):
    samples = np.random.default_rng(0).uniform(-9000, 9000, (rate // 2, channels))
    for coding, tag in (("u1", 1), ("<i2", 1), ("s24", 1), ("<i4", 1), ("<f4", 3), ("<f8", 3)):
        frame = channels * width_of(coding)
        for size in {claimed, claimed // frame * frame, max(0, claimed - 44)}:
            path = tmp_path / "a.wav"
            path.write_bytes(wav(size, samples / 9000, rate, coding, tag))
            source = from_file(path)
            got, error = heard(source)
            assert (len(got), error) == (len(samples), ""), (hex(size), coding)
            assert source.notes == ([] if size else ["unfinished"])
    piped = from_pipe(path)
    assert np.array_equal(heard(piped)[0], got)
    assert piped.notes == source.notes


def test_a_round_length_of_hours_is_a_placeholder(tmp_path: Path):
    samples = np.random.default_rng(0).uniform(-9000, 9000, (RATE, 2))
    path = tmp_path / "a.wav"
    for claimed in (0xFFFF0000, 0x7FFF0000, 0xF0000000, 0x40000000, 0x40000000 - 44):
        path.write_bytes(wav(claimed, samples, RATE))
        for source in (from_file(path), from_pipe(path)):
            got, error = heard(source)
            assert (len(got), error) == (RATE, ""), hex(claimed)


def test_headers_that_were_written_to_a_pipe(tmp_path: Path):
    """Sizes as ffmpeg and SoX leave them if they cannot seek back."""
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
            samples, error = heard(source)
            assert error == "", name
            assert np.array_equal(samples, voice[:, 0] / np.float32(32768)), name


def test_audio_beyond_the_length_in_the_header_is_decoded(tmp_path: Path):
    """From a recorder that updates its sizes now and then, or a size beyond 4 GiB in 32 bits."""
    samples = np.random.default_rng(0).uniform(-9000, 9000, (RATE * 8, 1))
    path = tmp_path / "a.wav"
    for claimed, more in ((RATE * 4, b""), (RATE * 4, b"LIST\4\0\0\0abcd")):
        path.write_bytes(wav(claimed, samples, RATE)[: 44 + (claimed if more else 1 << 40)] + more)
        for source in (from_file(path), from_pipe(path)):
            assert len(heard(source)[0]) == (claimed // 2 if more else len(samples))
            assert source.notes == ([] if more else ["unfinished"])
    # Nothing was recorded, and only metadata follows.
    path.write_bytes(wav(0, samples[:0], RATE) + b"LIST\4\0\0\0abcd")
    for source in (from_file(path), from_pipe(path)):
        assert "holds no audio" in heard(source)[1]


@pytest.mark.parametrize("form", ["AIFF", "AU", "CAF", "W64"])
def test_too_small_a_length_is_ignored_and_too_large_a_one_is_an_error(tmp_path: Path, form: str):
    voice, _ = sf.read(DEMO, dtype="float32", frames=6 * RATE)
    data = encoded(voice, form, "PCM_16")
    order, head = {"AIFF": (">I", 8), "AU": (">I", 0), "CAF": (">Q", 4), "W64": ("<Q", 24)}[form]
    sizes = [struct.pack(order, 2 * length + head) for length in (len(voice), len(voice) // 3)]
    path = tmp_path / "a"
    assert data.count(sizes[0]) == 1
    path.write_bytes(data.replace(*sizes))
    for source in (from_file(path), from_pipe(path)):
        samples, error = heard(source)
        assert (len(samples), error, source.notes) == (len(voice), "", ["unfinished"])
    path.write_bytes(data[: len(data) // 2])
    for source in (from_file(path), from_pipe(path)):
        samples, error = heard(source)
        assert len(samples) == pytest.approx(len(voice) / 2, abs=2100)
        assert "ended early: its header promises 6.0 s" in error


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (struct.pack("<IHHIIHH", 16, 1, 1024, 0x7FFFFFFF, 0, 2048, 16), "2147483647 Hz; allowed"),
        (struct.pack("<IHHIIHH", 16, 1, 65535, 48_000, 0, 0, 16), "65535 channels; allowed"),
        (struct.pack("<IHHIIHH", 16, 1, 0, 48_000, 0, 0, 16), "0 channels; allowed"),
        (struct.pack("<IHHIIHH", 16, 2, 1, 16_000, 0, 1, 4), "MS ADPCM; allowed in a pipe: PCM"),
        (struct.pack("<IHHIIHH", 16, 0x11, 1, 16_000, 0, 1, 4), "IMA ADPCM; allowed in a pipe: PCM"),
        (struct.pack("<IHHIIHH", 0x7FFFFFFF, 1, 1, 16_000, 0, 2, 16), "header is damaged"),
    ],
)
def test_an_impossible_or_compressed_format_is_refused_at_once(tmp_path: Path, header: bytes, sentence: str):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt " + header + b"data\xff\xff\xff\xff" + bytes(9000))
    with pytest.raises(InputError, match=sentence):
        from_pipe(path)
