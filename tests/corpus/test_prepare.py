"""`prepare` on folders and lists, and on the layouts of public collections."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from noisewatch.corpus.collections import find, speaker_unknown
from noisewatch.corpus.manifest import load_audio, read_manifest


def put(path: Path, rate: int = 16_000) -> Path:
    """Write one second of pulsed noise to path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    envelope = np.repeat(rng.random(10) > 0.5, rate // 10) + 1e-3
    sf.write(path, rng.standard_normal(len(envelope)) * 0.1 * envelope, rate)
    return path


@pytest.mark.parametrize(
    ("kind", "file", "group"),
    [
        ("speech", "train-clean-100/19/198/19-198-0001.flac", "19"),
        ("speech", "anna/one.wav", "anna"),
        ("speech", "train/anna/one.wav", "anna"),
        ("speech", "wavs/p225_001.wav", "p225"),
        ("speech", "p225_001.wav", "p225"),
        ("speech", "clean_train/clnsp17.wav", "clnsp17"),
        ("noise", "noise_train/AirConditioner_3.wav", "AirConditioner:AirConditioner_3"),
        ("noise", "audio/1-100032-A-0.wav", "dog:100032"),
        ("noise", "fold5/100032-3-0-0.wav", "dog_bark:100032"),
        ("noise", "kitchen/fan.wav", "kitchen/fan"),
    ],
)
def test_names_and_folders_identify_groups(tmp_path: Path, kind: str, file: str, group: str):
    put(tmp_path / file)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text("filename,fold,target,category\n1-100032-A-0.wav,1,0,dog\n")
    (found,) = find(tmp_path, kind)
    assert found.group == group
    assert speaker_unknown(found) == ("clnsp" in file)


def test_ms_snsd_has_speech_and_noise_in_one_folder(invoke, tmp_path: Path):
    root = tmp_path / "MS-SNSD"
    for n in range(5):
        put(root / "clean_train" / f"clnsp{n}.wav")
        put(root / "noise_train" / f"Typing_{n}.wav", 44_100)
        put(root / "NoisySpeech_training" / f"noisy{n}.wav")
    done = invoke("prepare", "--speech", root, "--noise", root, "-o", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "5 at 44100 Hz" in done.stderr
    assert "\n\n" not in f"\n{done.stderr}"
    assert "kinds: Typing 5" in done.stderr
    assert "all speech comes from one source" in done.stderr
    assert "the speakers of 5 speech recordings are unknown" in done.stderr
    rows = read_manifest(tmp_path / "data")
    assert len(rows) == 10
    assert not any("noisy" in Path(r.path).name for r in rows)


def test_a_csv_of_filenames_and_a_manifest(invoke, tmp_path: Path):
    for n in range(4):
        put(tmp_path / "voices" / f"{n}.wav")
        put(tmp_path / "noises" / f"{n}.wav")
    listed = "filename,speaker\n" + "".join(f"voices/{n}.wav,speaker{n}\n" for n in range(4))
    (tmp_path / "voices.csv").write_text(listed)
    done = invoke(
        "prepare", "--speech", tmp_path / "voices.csv", "--noise", tmp_path / "noises", "-o", tmp_path / "a"
    )
    assert done.returncode == 0, done.stderr
    first = read_manifest(tmp_path / "a")
    assert {r.group for r in first if r.kind == "speech"} == {f"speaker{n}" for n in range(4)}
    done = invoke("prepare", "--speech", tmp_path / "a", "--noise", tmp_path / "a", "-o", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "b") == first
    (tmp_path / "odd.csv").write_text("name\nx.wav\n")
    done = invoke("prepare", "--speech", tmp_path / "odd.csv", "--noise", tmp_path / "noises", "-o", tmp_path / "c")
    assert done.returncode == 6
    assert "neither a `filename` nor" in done.stderr


def test_a_voice_stays_in_one_split_across_the_parts_of_librispeech(invoke, tmp_path: Path):
    for part in ("dev-clean", "dev-other"):
        for speaker in range(10, 18):
            put(tmp_path / part / str(speaker) / "7" / f"{speaker}-7-0001.wav")
    for n in range(2):
        put(tmp_path / "noises" / f"{n}.wav")
    speech = ["--speech", tmp_path / "dev-clean", "--speech", tmp_path / "dev-other"]
    done = invoke("prepare", *speech, "--noise", tmp_path / "noises", "-o", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    rows = [r for r in read_manifest(tmp_path / "data") if r.kind == "speech"]
    assert len(rows) == 16
    assert len({(r.group, r.split) for r in rows}) == 8
    assert "no noise in val, and training needs both" in done.stderr
    assert "no speech in" not in done.stderr


def test_recordings_found_in_the_wild(invoke, tmp_path: Path):
    """Like `check` and `scan`, `prepare` reads a recording completely, or skips it and names it."""
    noise = tmp_path / "noise"
    for n in range(4):
        put(tmp_path / "voices" / f"{n}.wav")
        put(noise / f"{n}.wav")
    hiss = np.random.default_rng(0).standard_normal(32_000) * 0.1
    for form, name in (("MP3", "two.mp3"), ("FLAC", "stream.flac"), ("CAF", "one.caf"), ("WAV", "crashed.wav")):
        sf.write(noise / name, hiss, 16_000, format=form)
    (noise / "two.mp3").write_bytes((noise / "two.mp3").read_bytes() * 2)
    flac, wav = bytearray((noise / "stream.flac").read_bytes()), bytearray((noise / "crashed.wav").read_bytes())
    flac[21] &= 0xF0  # the count of samples in STREAMINFO
    flac[22:26] = wav[4:8] = wav[40:44] = bytes(4)
    (noise / "stream.flac").write_bytes(flac)
    (noise / "crashed.wav").write_bytes(wav)
    sf.write(noise / "inverted.wav", np.stack([hiss, -hiss], 1), 16_000)
    (noise / "cut.mp3").write_bytes((noise / "two.mp3").read_bytes()[:-4000])
    (noise / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    os.mkfifo(noise / "pipe.wav")
    listed = "".join(f"noise/{p.name}\n" for p in sorted(noise.iterdir()))
    (tmp_path / "noise.csv").write_text(f"filename\n{listed}noise/{'n' * 300}.wav\n")
    done = invoke(
        "prepare", "--speech", tmp_path / "voices", "--noise", tmp_path / "noise.csv", "-o", tmp_path / "a"
    )
    assert done.returncode == 0, done.stderr
    seconds = {Path(r.path).name: r.seconds for r in read_manifest(tmp_path / "a") if r.kind == "noise"}
    assert seconds == {f"{n}.wav": 1.0 for n in range(4)} | {
        "two.mp3": pytest.approx(4, abs=0.02), "stream.flac": 2, "one.caf": 2, "crashed.wav": 2, "inverted.wav": 2,
    }  # fmt: skip
    for name, why in {"cut.mp3": "only the first", "film.mp4": "as audio", "pipe.wav": "device or pipe"}.items():
        assert f"{name} " in done.stderr
        assert why in done.stderr
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr
    # A folder gives the same recordings.
    done = invoke("prepare", "--speech", tmp_path / "voices", "--noise", noise, "-o", tmp_path / "b")
    assert {Path(r.path).name for r in read_manifest(tmp_path / "b") if r.kind == "noise"} == set(seconds)
    left, right = load_audio(noise / "inverted.wav"), sf.read(noise / "inverted.wav", dtype="float32")[0][:, 0]
    assert np.array_equal(left, right)


def test_unreadable_files_are_listed_not_fatal(run, toy_set: Path, tmp_path: Path):
    for path in (toy_set / "speech" / "speaker00").iterdir():
        (tmp_path / "voices").mkdir(exist_ok=True)
        (tmp_path / "voices" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "voices" / "broken.wav").write_text("no audio")
    sf.write(tmp_path / "voices" / "silent.wav", np.zeros(16_000), 16_000)
    done = run("prepare", "--speech", tmp_path / "voices", "--noise", toy_set / "noise", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "broken.wav" in done.stderr
    assert "silent.wav" in done.stderr
    assert len(read_manifest(tmp_path / "out")) == 2 + 15
