"""Scores on fixed windows in npz files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ..audio.signal import WINDOW
from ..errors import InputError
from .scorers import Judgement, Scorer, told_apart
from .statistics import balanced_accuracy, roc_auc

MIX = "mix"  # the situation of a window whose snr is in decibels: speech, or speech + noise at that SNR
REPORTED = ("0 dB", "5 dB", "10 dB", "15 dB", "20 dB")  # their mean is the figure to compare


def score_windows(files: Sequence[Path], scorers: Sequence[Scorer]) -> Iterator[dict[str, Any]]:
    """One result a file of windows and scorer.

    A file is an npz with x (n, 48000) int16 at 16 kHz, y (n,) 1 = noisy, snr (n,) dB with 99 = clean, and situation
    (n,) text: "mix" where noisy windows are told apart by their SNR, else what tells them apart. Without it, all
    are of a mix. Raises InputError when it is not.
    """
    called = told_apart([str(file) for file in files], lambda path: path.name)
    for file in dict.fromkeys(files):
        x, y, snr, situation = _load(file)
        for scorer in scorers:
            judged = [scorer.judge(w.astype(np.float32) / np.float32(32768)) for w in x]
            yield {"windows": called[str(file)], "scorer": scorer.name} | _figures(
                scorer, judged, y, snr, situation
            )


def _figures(
    scorer: Scorer,
    judged: Sequence[Judgement],
    y: NDArray[np.int_],
    snr: NDArray[np.floating],
    situation: NDArray[np.str_],
) -> dict[str, Any]:
    known = np.array([j.noise is not None for j in judged])
    y, snr, mixed = y[known], snr[known], situation[known] == MIX
    noise = np.array([j.noise for j in judged if j.noise is not None])
    clean = noise[y == 0]
    groups = {f"{value:g} dB": mixed & (snr == value) for value in sorted(set(snr[mixed & (y == 1)].tolist()))}
    groups |= {str(name): situation[known] == name for name in dict.fromkeys(situation[known]) if name != MIX}
    auc = {name: roc_auc(clean, noise[mine & (y == 1)]) for name, mine in groups.items() if (mine & (y == 1)).any()}
    if all(step in auc for step in REPORTED):
        auc["0-20 dB"] = float(np.mean([auc[step] for step in REPORTED]))
    auc["all"] = roc_auc(clean, noise[y == 1])
    figures: dict[str, Any] = {
        "clean": int((y == 0).sum()),
        "noisy": int((y == 1).sum()),
        "unjudged": int((~known).sum()),  # unknown to the scorer: left out of every figure
        "auc": auc,
    }
    if scorer.threshold is not None:
        figures["balanced_accuracy"] = balanced_accuracy(clean, noise[y == 1], scorer.threshold)
        figures["false_alarms"] = float((clean >= scorer.threshold).mean())
        if mixed.any():
            told = [j.snr_db for j in judged if j.noise is not None]
            of = zip(told, snr, mixed, strict=True)
            errors = [abs(t - s) for t, s, mix in of if t is not None and mix and s <= 30]
            figures["snr_mae_db"] = float(np.mean(errors)) if errors else None
    return figures


def table(result: dict[str, Any]) -> str:
    """A result as a small table in text."""
    out = Table(title=f"{result['scorer']} on {result['windows']}", title_justify="left", box=None)
    out.add_column("")
    out.add_column("", justify="right")
    values = {f"AUC {k}": v for k, v in result["auc"].items()}
    values |= {k: v for k, v in result.items() if isinstance(v, float)}
    for key, value in values.items():
        out.add_row(key.replace("_", " "), f"{value:.3f}")
    text = io.StringIO()
    Console(file=text, width=100, force_terminal=False, color_system=None).print(out)
    return text.getvalue()


def _load(
    file: Path,
) -> tuple[NDArray[np.int16], NDArray[np.int_], NDArray[np.floating], NDArray[np.str_]]:
    try:
        with np.load(file) as data:
            x, y, snr = data["x"], data["y"], np.asarray(data["snr"], float)
            situation = data["situation"] if "situation" in data else np.full(len(x), MIX)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} holds no windows ({error}); it needs the arrays x, y and snr.") from error
    shapes = y.shape == snr.shape == situation.shape == (len(x),)
    if x.ndim != 2 or x.shape[1] != WINDOW or not shapes or x.dtype != np.int16 or situation.dtype.kind != "U":
        raise InputError(
            f"{file}: x is {x.dtype} {x.shape}, y {y.shape}, snr {snr.shape}, situation {situation.dtype} "
            f"{situation.shape}; needed: int16 (n, {WINDOW}), (n,), (n,), text (n,)."
        )
    if set(np.unique(y).tolist()) != {0, 1} or not np.isfinite(snr).all():
        raise InputError(f"{file}: y has to hold both 0 (clean) and 1 (noisy), and snr numbers.")
    return x, y, snr, situation
