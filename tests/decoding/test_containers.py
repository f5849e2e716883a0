"""Signatures, and the end of containers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from conftest import DEMO
from sound_files import CODECS, RATE, encoded, from_file, heard

from noisewatch.decoding.containers import Rest, rest_after
from noisewatch.decoding.signatures import search


def test_signatures_are_found_at_any_offset_and_nowhere_else(ffmpeg, tmp_path: Path):
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
        assert rest_after(path) in (Rest(), Rest(cut=True)), head
    path.write_bytes(encoded(np.zeros(RATE * 60), *CODECS["flac"]))  # frames of a few bytes, like those of AAC
    samples, error = heard(from_file(path))
    assert (len(samples), error) == (60 * RATE, "")


def test_only_data_worth_a_second_after_a_container_is_reported(ffmpeg, tmp_path: Path):
    """Bytes worth more than a second are an error, and so is an end within a part; tags and padding are not."""
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
            error = heard(from_file(path))[1]
            if want == "cut off after" and form == "mp4":
                want = "cannot be read beyond"
            assert (want in error) if " " in want else error == "", (form, want)
