"""The spectrogram as text."""

from __future__ import annotations

import numpy as np

from noisewatch.audio.logmel import FRAMES, MELS
from noisewatch.ui.spectrogram import HEAT, ROWS, spectrogram
from noisewatch.ui.style import LABEL

QUIET = -20.0  # log power


def cells(frames: np.ndarray, width: int) -> list[str]:
    return ["".join(segment.text for segment in line[1:]) for line in spectrogram(frames, width)]


def test_a_loud_band_at_the_end_is_drawn_at_the_right():
    frames = np.full((FRAMES, MELS), QUIET, np.float32)
    frames[FRAMES // 2 :, :5] = 0.0  # the lowest row, in the second half
    rows = cells(frames, 60 + LABEL)
    assert len(rows) == ROWS
    assert {len(row) for row in rows} == {60}
    assert rows[-1] == " " * 30 + "█" * 30
    assert set("".join(rows[:-1])) == {" "}


def test_frames_that_are_missing_are_silent():
    loud = np.zeros((10, MELS), np.float32)
    loud[0] = QUIET
    assert cells(loud, 60 + LABEL)[0].rstrip()[-1] == "█"
    assert cells(loud, 60 + LABEL)[0].startswith(" " * 50)
    assert cells(np.zeros((0, MELS), np.float32), 60 + LABEL) == [""] * ROWS


def test_quiet_input_stays_dark():
    """Where nothing is loud, the picture is not stretched to its full range."""
    lines = spectrogram(np.full((FRAMES, MELS), QUIET, np.float32), 60 + LABEL)
    assert all(segment.style != HEAT[-1] for line in lines for segment in line)
