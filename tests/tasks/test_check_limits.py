"""`noisewatch check`: limits, and sentences that claim no more than the numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import soundfile as sf

from noisewatch import NoiseDetector, Reading
from noisewatch.core.summary import Summary
from noisewatch.tasks.check import Limits, answer

RATE = 16_000


def test_no_sentence_claims_more_than_its_numbers(invoke):
    """One SNR for each share of the time, whatever is allowed."""
    strict, lenient = (invoke("check", "demo", *o).stdout for o in ((), ("--max-noisy", 1)))
    assert re.search(r"SNR \d+ dB while it is noisy, 4\d dB otherwise", strict)
    assert re.search(r"SNR 1\d dB\. It was not quiet all the time: SNR \d+ dB while it was noisy", lenient)
    done = invoke("check", "demo", "--max-noisy", 1, "--min-snr", 12)
    assert re.match(r"NOISY: SNR \d+ dB while it is noisy; the minimum is 12 dB", done.stdout)
    quiet = NoiseDetector().stream()
    reading = Reading(3.0, 0.2, 11.0, 0.9, -26.0, "clean")
    totals = Summary()
    totals.add(reading)
    quiet.push(np.full(RATE, 0.1, np.float32))
    found = answer("take", [reading], totals, quiet, Limits(), live=False)
    assert (found.answer, found.snr_db) == ("ok", 11.0)
    assert "Nothing but your voice" not in found.advice
    assert "SNR is low" in found.advice


def test_clipping_is_mentioned_for_a_clean_take_too(invoke, takes: Path, tmp_path: Path):
    clean, _ = sf.read(takes / "clean.wav", dtype="float32")
    sf.write(tmp_path / "cut.wav", np.clip(clean * 8, -1, 1), RATE)
    sf.write(tmp_path / "hot.wav", clean * 4, RATE, "FLOAT")
    cut, hot = invoke("check", tmp_path / "cut.wav", tmp_path / "hot.wav", "--max-noisy", 1).stdout.splitlines()
    assert "The input is clipping" in cut
    assert "The input is clipping" not in hot


def test_limits(invoke, takes: Path):
    assert invoke("check", takes / "clean.wav", "--min-snr", "20").returncode == 0
    done = invoke("check", takes / "clean.wav", "--min-snr", "60")
    assert done.returncode == 3
    assert "the minimum is 60 dB" in done.stdout
    assert invoke("check", takes / "noisy.wav", "--max-noisy", "1").returncode == 0
    assert invoke("check", "demo", "--seconds", "6").returncode == 0  # the noise of the demo comes later
    assert invoke("check", "demo").returncode == 3
    for wrong in (("--seconds", "1"), ("--max-noisy", "20"), ("--min-snr", "nan")):
        done = invoke("check", "no such file", *wrong)  # the limits are looked at first
        assert done.returncode == 2
        assert "allowed" in done.stderr
