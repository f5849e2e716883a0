"""Traces of a noise suppressor that attenuates bins of a spectrum one by one, as spectral subtraction does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..audio.ring import Ring
from ..audio.signal import Samples

Spectra = NDArray[np.float32]  # (spectra, BINS) dB

SIZE, HOP = 512, 500  # of a spectrum, samples: 32 spectra a second
PART = slice(8, 232, 2)  # bins that are looked at: 250 Hz to 7.2 kHz, each second one as neighbours are alike
BINS = 112
BESIDE = 4  # bins on each side that the level of a bin is compared with
SILENT_DB = -118.0  # a floor at or below: digital silence, which is `gated`
RARE = 2e-3  # added to shares before their logarithm

# Weights of a logistic regression on what `properties` measures; printed by benchmarks/suppression.py.
WEIGHTS: dict[str, float] = {
    "floor": -0.06735,
    "change": 1.108,
    "holes between": 39.32,
    "holes in pauses, log": -0.6484,
    "6 to 3 dB below the floor": 48.75,
    "6 to 3 dB below the floor, log": -3.727,
    "3 to 0 dB below the floor, log": 6.248,
    "0 to 3 dB above the floor": 2.033,
    "6 to 12 dB above the floor, log": 2.577,
    "9 dB above the floor, log": -2.146,
    "24 dB above the floor": -10.23,
    "40 dB above the floor, log": 3.256,
    "near the floor in words": 13.09,
    "near the floor in words, log": -0.7384,
}
BIAS = -15.44


class Suppression:
    """Whether a noise suppressor is at work.

    It lets bins of a spectrum through or attenuates them by tens of dB, from one frame to the next: it leaves holes
    beside the harmonics of a voice, little between its own floor and the noise that it removes, and a floor that is
    not that of stationary noise, in which the level of a bin is distributed with a deviation of 5.6 dB. No single
    one of these properties is unknown to ordinary recordings, so they are weighed by a logistic regression.
    """

    MEMORY, LEAST = 192, 128  # spectra that are judged: 6 s, at first 4 s
    AT_ONCE = 64  # spectra between two decisions

    def __init__(self) -> None:
        self._spectra = Ring(self.MEMORY, BINS)
        self._beside = Ring(self.MEMORY, BINS)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._waiting: list[Samples] = []
        self._count = 0  # samples waiting
        self._spectra.clear()
        self._beside.clear()
        self.present = False

    def feed(self, samples: Samples) -> None:
        """Take samples (n,) at 16 kHz, filtered by the high-pass. They are analysed 2 s at a time."""
        self._waiting.append(samples)
        self._count += len(samples)
        needed = (self.AT_ONCE - 1) * HOP + SIZE
        if self._count < needed:
            return
        buffer = np.concatenate(self._waiting)
        while len(buffer) >= needed:
            spectra = spectra_of(buffer[:needed])
            self._spectra.push(spectra)
            self._beside.push(above_neighbours(spectra))
            buffer = buffer[self.AT_ONCE * HOP :]
            if len(self._spectra) >= self.LEAST:
                self.present = score(self._spectra.last(self.MEMORY), self._beside.last(self.MEMORY)) > 0
        self._waiting, self._count = [buffer], len(buffer)


def spectra_of(samples: Samples) -> Spectra:
    """Power of the bins of each spectrum in samples (n,), dB: (spectra, BINS)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, SIZE)[::HOP]
    spectra = np.fft.rfft(frames * _WINDOW)[:, PART]
    power = 8 / SIZE**2 * (spectra.real**2 + spectra.imag**2)  # of a tone in the bin
    return np.asarray(10 * np.log10(power + 1e-12), np.float32)


def above_neighbours(spectra: Spectra) -> Spectra:
    """Level of each bin above the mean power of itself and its neighbours, dB: (spectra, BINS)."""
    power = np.pad(np.exp(spectra / _DB), ((0, 0), (BESIDE + 1, BESIDE)), mode="edge").cumsum(1, np.float64)
    mean = (power[:, 2 * BESIDE + 1 :] - power[:, : -2 * BESIDE - 1]) / (2 * BESIDE + 1)
    return np.asarray(spectra - 10 * np.log10(mean + 1e-13), np.float32)


def properties(spectra: Spectra, beside: Spectra) -> dict[str, float] | None:
    """What is weighed, of a window: shares of its bins, their logarithms, and levels in dB. None without a floor.

    The quietest seventh of the spectra are pauses, the half with the loudest peaks are words. The floor is the
    median of the pauses in each bin. spectra: (n, BINS) dB. beside: the same from `above_neighbours`.
    """
    count = len(spectra)
    peaks = spectra.max(1)
    pauses = np.argsort(spectra.mean(1), kind="stable")[: count // 7]
    words = np.argsort(peaks, kind="stable")[count // 2 :]
    rest = np.ones(count, bool)
    rest[pauses] = rest[words] = False
    floor = np.partition(spectra[pauses], len(pauses) // 2, axis=0)[len(pauses) // 2]
    if np.median(floor) <= SILENT_DB:
        return None
    above = spectra - floor
    over = {limit: _share(above > limit) for limit in (-6, -3, 0, 3, 6, 9, 12, 24, 40)}
    near = _share(above[words] < 18)
    dents = over[-6] - over[-3]
    return {
        "floor": float((floor - np.median(peaks[words])).mean()),
        "change": float(np.abs(np.diff(spectra, axis=0)).mean()),
        "holes between": _share(beside[rest] < -10),
        "holes in pauses, log": _log(_share(beside[pauses] < -22)),
        "6 to 3 dB below the floor": dents,
        "6 to 3 dB below the floor, log": _log(dents),
        "3 to 0 dB below the floor, log": _log(over[-3] - over[0]),
        "0 to 3 dB above the floor": over[0] - over[3],
        "6 to 12 dB above the floor, log": _log(over[6] - over[12]),
        "9 dB above the floor, log": _log(over[9]),
        "24 dB above the floor": over[24],
        "40 dB above the floor, log": _log(over[40]),
        "near the floor in words": near,
        "near the floor in words, log": _log(near),
    }


def score(spectra: Spectra, beside: Spectra) -> float:
    """Above 0: a suppressor is at work. Arguments as for `properties`."""
    found = properties(spectra, beside)
    return -np.inf if found is None else BIAS + sum(WEIGHTS[name] * value for name, value in found.items())


def _share(where: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(where)) / max(1, where.size)


def _log(share: float) -> float:
    return float(np.log(share + RARE))


_DB = np.float32(10 / np.log(10))
_WINDOW = np.hanning(SIZE + 1)[:-1].astype(np.float32)
