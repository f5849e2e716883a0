"""The verdict on a scan as a whole, and the exit codes that it ends with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO

from noisewatch import InputError
from noisewatch.recordings.file_report import FileReport
from noisewatch.recordings.verdict import check_judged, incomplete, too_noisy

CLEAN, NOISY = FileReport("clean.wav", 10.0, noisy=0.0), FileReport("noisy.wav", 10.0, noisy=0.5)
CUT, SILENT = FileReport("cut.wav", 10.0, noisy=0.0, error="it ends early"), FileReport("silent.wav", 10.0)


def test_exit_codes(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    silent, cut, clean = (tmp_path / f"{name}.wav" for name in ("silent", "cut", "clean"))
    sf.write(silent, np.zeros(5 * rate), rate)
    sf.write(clean, samples[: 6 * rate], rate)
    cut.write_bytes(clean.read_bytes()[:150_000])
    assert invoke("scan", DEMO, "--max-noisy", "0.6").returncode == 0
    done = invoke("scan", tmp_path, DEMO, "--max-noisy", "0.2")
    assert done.returncode == 3
    assert "1 of 4 recordings is noisy for more than 20% of the time" in done.stderr
    assert "demo.flac, 3" in done.stderr
    assert invoke("scan", tmp_path, "--strict").returncode == 6
    assert invoke("scan", cut).returncode == 0  # part of it was judged, and stderr says so
    assert invoke("scan", silent).returncode == 6
    done = invoke("scan", "nothing*.wav", tmp_path / "nowhere.wav", tmp_path / "no folder")
    assert done.returncode == 6
    assert "nothing matches 'nothing*.wav'" in done.stderr
    assert invoke("scan", DEMO, "--max-noisy", "20").returncode == 2
    assert invoke("scan", DEMO, "--hop", "0.123").returncode == 2


def test_the_noisiest_recording_is_named():
    assert too_noisy([CLEAN, NOISY, SILENT], 0.5) is None
    sentence = too_noisy([CLEAN, NOISY, SILENT], 0.2)
    assert sentence is not None
    assert "1 of 3 recordings is noisy" in sentence
    assert "noisy.wav, 50%" in sentence


def test_a_scan_is_judged_when_any_recording_is_and_strictly_when_all_are():
    assert incomplete([CLEAN, NOISY]) is None
    check_judged([CLEAN, NOISY], strict=True)
    check_judged([CLEAN, CUT, SILENT], strict=False)
    check_judged([CUT], strict=False)
    for reports, strict in (([CLEAN, CUT], True), ([CLEAN, SILENT], True), ([SILENT], False)):
        with pytest.raises(InputError, match=f"1 of {len(reports)} recordings could not be judged"):
            check_judged(reports, strict=strict)
