"""The threshold for one room: chosen for a budget of false alarms, with its cost in missed noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..audio import levels
from ..audio.highpass import HighPass
from ..audio.signal import LOUDEST, SAMPLE_RATE, WINDOW
from ..core.detector import DetectorConfig
from ..core.events import Reading
from ..core.noise_detector import NoiseDetector
from ..errors import InputError
from .false_alarms import alarms, poisson_interval

HIGHEST = 0.99
LEAST_S = 15.0  # of readings; less is too little to estimate a rate
COST_SNR_DB = 20.0  # the faintest noise that counts as noise
COST_WINDOWS = 60  # spread over the recording, on which the cost of a threshold is measured
SLOPES = (0.0, -0.5, -1.0)  # of amplitude spectra: white, pink and brown noise


@dataclass(frozen=True)
class RoomRecording:
    """A recording of the room as it should be: all readings, and the samples of the first minutes."""

    readings: list[Reading]
    samples: NDArray[np.float32]  # (n,) at 16 kHz

    def spoken(self) -> list[NDArray[np.float32]]:
        """Windows (48000,) in which someone speaks, at least 1 s apart."""
        windows, last = [], -1.0
        for reading in self.readings:
            end = round(reading.time * SAMPLE_RATE)
            if reading.spoken and reading.time >= last + 1 and WINDOW <= end <= len(self.samples):
                windows.append(self.samples[end - WINDOW : end])
                last = reading.time
        return windows


def choose(
    recordings: Sequence[Sequence[Reading]], budget_per_hour: float, hop_s: float, own: float
) -> float | None:
    """The lowest threshold that keeps false alarms within a budget; None if none does.

    The recordings are of the room as it should be, so every noise reported in them is a false alarm. own: the
    model's threshold, which was chosen on far more voices than one room offers. A lower threshold, down to the
    detector's off threshold, needs proof: the upper end of the 95 % interval of its rate is within the budget. A
    higher one needs a reason: more alarms at the model's own than the budget allows in that time.
    Raises InputError if less than 15 s could be judged.
    """
    judged = [sum(r.noise is not None for r in readings) * hop_s for readings in recordings]
    seconds, config = sum(judged), DetectorConfig(own)
    if seconds < LEAST_S:
        raise InputError(
            f"{seconds:.1f} s could be judged (3 s of each recording fill the first window); a threshold needs "
            f"{LEAST_S:.0f} s or more. Record for longer."
        )
    if max(judged) < config.min_on_s - 1e-6:
        raise InputError("no recording is long enough for a noise to be reported. Give longer recordings.")
    allowed = budget_per_hour * seconds / 3600
    between = [percent / 100 for percent in range(1, 100) if config.off < percent / 100 < HIGHEST]
    for threshold in sorted({config.off, own, *between, HIGHEST}):
        found = alarms(recordings, threshold, hop_s)
        if (found if threshold >= own else poisson_interval(found)[1]) <= allowed:
            return threshold
    return None


def hit_rates(
    detector: NoiseDetector, recordings: Sequence[RoomRecording], thresholds: Sequence[float]
) -> list[float] | None:
    """The share of windows called noisy at each threshold with steady noise 20 dB below the voice.

    Generated noise of several colours is added to the windows in which someone speaks, and a stream of the detector
    judges them. None if there is no speech in the recordings.
    """
    rng = np.random.default_rng(0)
    windows = [window for room in recordings for window in room.spoken()]
    chosen = windows[:: max(1, len(windows) // COST_WINDOWS)]
    called = np.zeros(len(thresholds))
    for window in chosen:
        level = levels.active_rms(HighPass().feed(window)) * 10 ** (-COST_SNR_DB / 20)
        for slope in SLOPES:
            mixed = (window + level * _coloured(rng, slope)).astype(np.float32)
            (reading,) = detector.stream().push(np.clip(mixed, -LOUDEST, LOUDEST))
            called += [reading.evidence is not None and reading.evidence >= t for t in thresholds]
    return [float(share) for share in called / (len(chosen) * len(SLOPES))] if chosen else None


def _coloured(rng: np.random.Generator, slope: float) -> NDArray[np.float64]:
    """A window of Gaussian noise (48000,) of unit RMS, amplitude spectrum (f + 50 Hz) ** slope."""
    spectrum = np.fft.rfft(rng.standard_normal(WINDOW)) * (np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE) + 50) ** slope
    noise = np.fft.irfft(spectrum, WINDOW)
    return np.asarray(noise / noise.std())


def share_in_words(share: float) -> str:
    """A share of windows in everyday words: "about 1 window in 6"."""
    plain = (Fraction(n, of) for of in (1, 2, 3, 4, 5, 6, 8, 10) for n in range(of + 1))
    near = min(plain, key=lambda fraction: abs(float(fraction) - share))
    if near in (0, 1):
        all_of = "every window" if near else "no window"
        return all_of if share in (0, 1) else f"almost {all_of}"
    return f"about {near.numerator} window{'' if near.numerator == 1 else 's'} in {near.denominator}"
