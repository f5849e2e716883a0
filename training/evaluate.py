"""Scores on fixed windows, through the engine that listens to microphones."""

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

from noisewatch import NoiseDetector, levels
from noisewatch.errors import InputError

from .scores import balanced_accuracy, roc_auc

SITUATIONS = {10.0: "speech + noise", 11.0: "dense speech + noise", -10.0: "noise alone", 12.0: "gated noise"}
BY_HAND = "95th - 10th percentile of 20 ms levels"


def evaluate(files: Sequence[Path], models: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One result a file of windows and scorer; the by-hand statistic comes first, the models after it.

    A file is an npz with x (n, 48000) int16 at 16 kHz, y (n,) 1 = noisy, snr (n,) dB with 99 = clean, or
    the tag of a situation. Raises InputError when it is not.
    """
    detectors = {name: NoiseDetector(name) for name in models}
    for file in files:
        x, y, snr = _load(file)
        yield {"windows": file.name, "scorer": BY_HAND} | _scores(np.array([-spread_db(w) for w in x]), y, snr)
        for name, detector in detectors.items():
            yield {"windows": file.name, "scorer": name} | _judged(detector, x, y, snr)


def _judged(
    detector: NoiseDetector, x: NDArray[np.int16], y: NDArray[np.int_], snr: NDArray[np.floating]
) -> dict[str, Any]:
    readings = [detector.stream().push(w)[0] for w in x]
    judged = np.array([r.noise is not None for r in readings])
    y, snr = y[judged], snr[judged]
    noise = np.array([r.noise for r in readings if r.noise is not None])
    threshold = detector.model.card.threshold
    result = _scores(noise, y, snr) | {
        "unjudged": int((~judged).sum()),  # unknown to the engine: left out of every figure
        "balanced_accuracy": balanced_accuracy(noise[y == 0], noise[y == 1], threshold),
        "false_alarms": float((noise[y == 0] >= threshold).mean()),
    }
    if not _tagged(snr):
        spoken = [r.snr_db for r in readings if r.noise is not None]
        errors = [abs(r - s) for r, s in zip(spoken, snr, strict=True) if r is not None and s <= 30]
        result["snr_mae_db"] = float(np.mean(errors)) if errors else None
    return result


def spread_db(window: NDArray[np.int16]) -> float:
    """The strongest statistic by hand: how far the level swings, dB. High for a voice over a silent room."""
    power = levels.frame_power(window.astype(np.float32) / np.float32(32768))
    low, high = np.percentile(10 * np.log10(power + 1e-10), [10, 95])
    return float(high - low)


def table(result: dict[str, Any]) -> str:
    """A result as a small table in text."""
    out = Table(title=f"{result['scorer']} on {result['windows']}", title_justify="left", box=None)
    out.add_column("")
    values = {**{f"AUC {k}": v for k, v in result["auc"].items()}}
    values |= {k: v for k, v in result.items() if isinstance(v, float)}
    out.add_column("", justify="right")
    for key, value in values.items():
        out.add_row(key.replace("_", " "), f"{value:.3f}")
    text = io.StringIO()
    Console(file=text, width=100).print(out)
    return text.getvalue()


def _scores(noise: NDArray[np.floating], y: NDArray[np.int_], snr: NDArray[np.floating]) -> dict[str, Any]:
    clean = noise[y == 0]
    auc = {}
    tagged = _tagged(snr)
    for value in sorted(set(snr[y == 1].tolist())):
        auc[SITUATIONS.get(value, f"tag {value:g}") if tagged else f"{value:g} dB"] = roc_auc(
            clean, noise[(snr == value) & (y == 1)]
        )
    steps = [auc[k] for k in ("0 dB", "5 dB", "10 dB", "15 dB", "20 dB") if k in auc]
    if len(steps) == 5:
        auc["0-20 dB"] = float(np.mean(steps))
    auc["all"] = roc_auc(clean, noise[y == 1])
    return {"clean": int((y == 0).sum()), "noisy": int((y == 1).sum()), "auc": auc}


def _tagged(snr: NDArray[np.floating]) -> bool:
    """Whether the column holds situations; other files have decibels there."""
    return bool({-10.0, 12.0} & set(snr.tolist()))


def _load(file: Path) -> tuple[NDArray[np.int16], NDArray[np.int_], NDArray[np.floating]]:
    try:
        with np.load(file) as data:
            x, y, snr = data["x"], data["y"], np.asarray(data["snr"], float)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} holds no windows ({error}); it needs the arrays x, y and snr.") from error
    if x.ndim != 2 or x.shape[1] != 48_000 or not (len(x),) == y.shape == snr.shape or x.dtype != np.int16:
        raise InputError(
            f"{file}: x is {x.dtype} {x.shape}, y {y.shape}, snr {snr.shape}; needed: int16 (n, 48000), (n,), (n,)."
        )
    if set(np.unique(y).tolist()) != {0, 1} or not np.isfinite(snr).all():
        raise InputError(f"{file}: y has to hold both 0 (clean) and 1 (noisy), and snr numbers.")
    return x, y, snr
