"""Scores on fixed windows in npz files."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ..audio.signal import WINDOW
from ..errors import InputError
from .figures import WindowScores
from .scorers import Judgement, Scorer, distinct_names
from .statistics import balanced_accuracy, roc_auc

MIX = "mix"  # situation of the windows whose snr is in dB: speech, or speech + noise at that SNR
REPORTED = ("0 dB", "5 dB", "10 dB", "15 dB", "20 dB")  # their mean is the figure to compare
LARGEST_SNR_DB = 30.0  # SNR estimates are scored on windows up to this SNR


@dataclass(frozen=True)
class WindowFile:
    """Labelled windows of an npz file, as arrays over the windows."""

    x: NDArray[np.int16]  # (n, 48000) at 16 kHz
    noisy: NDArray[np.bool_]  # (n,), in the file y: 1 = noisy
    snr_db: NDArray[np.floating]  # (n,), 99 = clean
    situation: NDArray[np.str_]  # (n,): "mix" where noisy windows are grouped by SNR, else their group

    @classmethod
    def load(cls, file: Path) -> WindowFile:
        """Read x, y, snr and situation. Without situation, every window is "mix". Raises InputError."""
        try:
            with np.load(file) as data:
                x, y, snr = data["x"], data["y"], np.asarray(data["snr"], float)
                situation = data["situation"] if "situation" in data else np.full(len(x), MIX)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"cannot read windows from {file} ({error}); it needs the arrays x, y and snr."
            ) from error
        shapes = y.shape == snr.shape == situation.shape == (len(x),)
        windows = x.ndim == 2 and x.shape[1] == WINDOW and x.dtype == np.int16
        if not (windows and shapes and situation.dtype.kind == "U"):
            raise InputError(
                f"{file}: x is {x.dtype} {x.shape}, y {y.shape}, snr {snr.shape}, situation {situation.dtype} "
                f"{situation.shape}; needed: int16 (n, {WINDOW}), (n,), (n,), text (n,)."
            )
        if set(np.unique(y).tolist()) != {0, 1} or not np.isfinite(snr).all():
            raise InputError(f"{file}: y must contain both 0 (clean) and 1 (noisy), and snr only finite numbers.")
        return cls(x, y == 1, snr, situation)


def score_windows(files: Sequence[Path], scorers: Sequence[Scorer]) -> Iterator[WindowScores]:
    """Scores for each file and scorer, as soon as they are ready. Raises InputError for a file without windows."""
    names = distinct_names([str(file) for file in files], lambda path: path.name)
    for path in dict.fromkeys(files):
        file = WindowFile.load(path)
        for scorer in scorers:
            judged = [scorer.judge(w.astype(np.float32) / np.float32(32768)) for w in file.x]
            yield _scores(names[str(path)], scorer, judged, file)


def _scores(name: str, scorer: Scorer, judged: Sequence[Judgement], file: WindowFile) -> WindowScores:
    known = np.array([j.noise is not None for j in judged])
    noisy, situation = file.noisy[known], file.situation[known]
    noise = np.array([j.noise for j in judged if j.noise is not None], float)
    clean = noise[~noisy]
    groups = _groups(situation, file.snr_db[known], noisy)
    auc = {group: _known(roc_auc(clean, noise[mine])) for group, mine in groups.items()}
    steps = [auc.get(step) for step in REPORTED]
    if all(step in auc for step in REPORTED):
        auc["0-20 dB"] = None if None in steps else float(np.mean([s for s in steps if s is not None]))
    auc["all"] = _known(roc_auc(clean, noise[noisy]))
    counts = {"clean": int((~noisy).sum()), "noisy": int(noisy.sum()), "unjudged": int((~known).sum())}
    if scorer.threshold is None:
        return WindowScores(name, scorer.name, **counts, auc=auc)
    return WindowScores(
        name,
        scorer.name,
        **counts,
        auc=auc,
        balanced_accuracy=_known(balanced_accuracy(clean, noise[noisy], scorer.threshold)),
        false_alarms=float((clean >= scorer.threshold).mean()) if len(clean) else None,
        snr_mae_db=_snr_mae_db(judged, file),
    )


def _groups(
    situation: NDArray[np.str_], snr_db: NDArray[np.floating], noisy: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """The noisy windows by SNR, then by situation."""
    mixed = noisy & (situation == MIX)
    groups = {f"{value:g} dB": mixed & (snr_db == value) for value in sorted(set(snr_db[mixed].tolist()))}
    for name in dict.fromkeys(situation.tolist()):
        mine = noisy & (situation == name)
        if name != MIX and mine.any():
            groups[str(name)] = mine
    return groups


def _snr_mae_db(judged: Sequence[Judgement], file: WindowFile) -> float | None:
    """Mean absolute error of the SNR estimates up to 30 dB; None without any."""
    scored = (file.situation == MIX) & (file.snr_db <= LARGEST_SNR_DB)
    errors = [abs(j.snr_db - file.snr_db[i]) for i, j in enumerate(judged) if scored[i] and j.snr_db is not None]
    return float(np.mean(errors)) if errors else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def as_text(scores: WindowScores) -> str:
    """Scores as a small table for a terminal."""
    table = Table(title=f"{scores.scorer} on {scores.windows}", title_justify="left", box=None)
    table.add_column("")
    table.add_column("", justify="right")
    values = {f"AUC {group}": value for group, value in scores.auc.items()}
    values |= {name: value for name, value in scores.json().items() if isinstance(value, float)}
    for name, value in values.items():
        table.add_row(name.replace("_", " "), "-" if value is None else f"{value:.3f}")
    text = io.StringIO()
    Console(file=text, width=100, force_terminal=False, color_system=None).print(table)
    return text.getvalue()
