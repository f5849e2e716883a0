"""The spectrogram in the meter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

from ..audio.logmel import FRAMES
from .style import LABEL, Line, label

ROWS = 8
RANGE_DB = 60.0  # shown below the loudest cell
LOUD_DB = -45.0  # Mel power; a picture without a louder cell stays dark
SHADES = " ░▒▓█"
HEAT = [Style.parse(c) for c in ("color(17)", "color(18)", "color(55)", "color(126)", "color(203)", "color(222)")]
LABELS = ["8 kHz", *[""] * (ROWS - 2), "0"]


def spectrogram(frames: NDArray[np.float32], width: int) -> list[Line]:
    """Draw log-Mel frames (n, mels) as rows of shaded cells: high bands on top, the newest frame on the right."""
    if not len(frames):
        return [[label(text)] for text in LABELS]
    lines: list[Line] = []
    for text, row in zip(LABELS, _shades(frames, width - LABEL), strict=True):
        line: Line = [label(text)]
        run_starts = np.flatnonzero(np.diff(row)) + 1
        for run in np.split(row, run_starts):  # of equal neighbours, which share one segment
            shade = int(run[0])
            line.append(Segment(SHADES[min(shade, len(SHADES) - 1)] * len(run), HEAT[shade]))
        lines.append(line)
    return lines


def _shades(frames: NDArray[np.float32], columns: int) -> NDArray[np.int64]:
    """Index into HEAT for each cell: (ROWS, columns)."""
    mels = frames.shape[1]
    padded = np.full((FRAMES, mels), frames.min(), np.float32)
    padded[FRAMES - len(frames) :] = frames[-FRAMES:]
    rows = padded.reshape(FRAMES, ROWS, mels // ROWS).max(axis=2)  # the loudest band of each row
    edges = np.linspace(0, FRAMES, columns + 1).astype(int)[:-1]
    cells = np.maximum.reduceat(rows, edges, axis=0).T[::-1] * (10 / np.log(10))  # dB
    share = np.clip(1 + (cells - max(cells.max(), LOUD_DB)) / RANGE_DB, 0, 0.999)
    shades: NDArray[np.int64] = (share * len(HEAT)).astype(np.int64)
    return shades
