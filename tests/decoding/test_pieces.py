"""Recordings joined end to end in one file."""

from __future__ import annotations

import gc
import signal
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from sound_files import CODECS, RATE, encoded, from_file, from_pipe, heard, id3, wav


@pytest.mark.parametrize("kind", CODECS)
def test_all_pieces_are_decoded(tmp_path: Path, kind: str):
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
        samples, error = heard(source := from_file(path))
        assert (len(samples) / source.sample_rate, error) == (pytest.approx(seconds, abs=0.01), ""), name
        assert source.promised_s == pytest.approx(seconds, abs=0.01), name
        if name in ("higher", "lower"):
            assert source.sample_rate == (24_000 if kind == "opus" else 44_100), "nothing is lost"
    piped, error = heard(from_pipe(tmp_path / f"three.{kind}"))
    assert error == ""
    assert np.array_equal(piped, heard(from_file(tmp_path / f"three.{kind}"))[0])
    # A piece alone gives the same samples as after another.
    path = tmp_path / f"alone.{kind}"
    path.write_bytes(two)
    assert np.array_equal(heard(from_file(path))[0], piped[3 * RATE : 6 * RATE])


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac"])
def test_an_unreadable_piece_is_an_error(tmp_path: Path, kind: str):
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
        samples, error = heard(from_file(path))
        assert "only the first" in error or "ended early" in error, name
        assert 3 <= len(samples) / RATE < 9, name
        assert f"{len(samples) / RATE:.1f} s" in error


def test_an_mp3_without_a_table_is_decoded_to_its_end(tmp_path: Path):
    """libsndfile estimates the length from the first frame, and stops there."""
    soft, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    loud = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32) * 0.2
    for name, parts in {"soft first": (soft * 1e-3, loud), "loud first": (loud, soft * 1e-3)}.items():
        data = encoded(np.concatenate(parts), *CODECS["mp3"], bitrate_mode="VARIABLE", compression_level=0.2)
        path = tmp_path / f"{name}.mp3"
        start = data.index(b"\xff\xf3")
        second = data.index(b"\xff\xf3", start + 60)  # the table is in the first frame
        path.write_bytes(data[second:])
        for source in (from_file(path), from_pipe(path)):
            samples, error = heard(source)
            assert error == ""
            assert len(samples) / RATE == pytest.approx(8, abs=0.15), name


def test_both_data_chunks_of_a_wav_are_decoded(tmp_path: Path):
    samples = np.random.default_rng(0).uniform(-9000, 9000, (4 * RATE, 1))
    one, two = wav(2 * RATE * 2, samples[: 2 * RATE], RATE), samples[2 * RATE :].astype("<i2").tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(one + b"LIST\4\0\0\0abcd" + b"data" + struct.pack("<I", len(two)) + two)
    for source in (from_file(path), from_pipe(path)):
        got, error = heard(source)
        assert error == ""
        assert np.array_equal(got, samples[:, 0].astype("<i2").astype(np.float32) / 32768)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends signals")
def test_ctrl_c_is_not_lost_while_pieces_are_decoded(tmp_path: Path):
    voice, _ = sf.read(DEMO, dtype="float32")
    path = tmp_path / "two.opus"
    path.write_bytes(encoded(voice, *CODECS["opus"]) * 2)
    gc.collect()  # an interrupt within a finalizer is lost, and other tests leave objects to finalize
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
