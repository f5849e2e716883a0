"""Levels and SNR, defined once for training labels, the meter and the evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .signal import BLOCK, SAMPLE_RATE, Samples

FRAME = 2 * BLOCK  # samples (20 ms)
ACTIVE_RANGE_DB = 30.0  # a frame within this much of the loudest one is active
_TINY = 1e-12

Powers = NDArray[np.floating]


def frame_power(samples: Samples) -> Powers:
    """Mean square of each whole 20 ms frame of samples (n,) at 16 kHz: (n // 320,)."""
    return np.asarray((samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(1))


def active_frames(power: Powers) -> NDArray[np.bool_]:
    """Which frames are active, that is within 30 dB of the loudest: (frames,) -> (frames,)."""
    return np.asarray(power > power.max(initial=0.0) * 10 ** (-ACTIVE_RANGE_DB / 10))


def active_power(power: Powers) -> float:
    """Mean power over the active frames of frame powers (frames,); 0 for silence.

    In the spirit of ITU-T P.56: pauses do not count, so a slow talker is as loud as a fast one.
    """
    active = active_frames(power)
    return float(power[active].mean()) if active.any() else 0.0


def active_rms(samples: Samples) -> float:
    """Active level of samples (n,) as a linear RMS."""
    return float(np.sqrt(active_power(frame_power(samples))))


def active_seconds(samples: Samples) -> float:
    """Total duration of the active frames of samples (n,) at 16 kHz, s; 0 for silence below -60 dBFS."""
    power = frame_power(samples)
    if not len(power) or power.mean() < 1e-6:
        return 0.0
    return float(active_frames(power).sum()) * FRAME / SAMPLE_RATE


def dbfs(power: float) -> float:
    """Mean square to dB relative to full scale; a full-scale square wave has 0 dBFS."""
    return float(10 * np.log10(power + _TINY))


def snr_db(speech: Samples, noise: Samples) -> float:
    """Active speech level over active noise level, dB; both (n,) at 16 kHz and at the same gain."""
    return 20 * float(np.log10((active_rms(speech) + _TINY) / (active_rms(noise) + _TINY)))


def floor_db(samples: Samples) -> float:
    """Distance from the active level of samples (n,) at 16 kHz down to their noise floor, dB.

    The floor is the 5th percentile of the 20 ms levels, so the result is too low for a recording without pauses.
    """
    power = frame_power(samples)
    if not len(power):
        return 0.0
    return dbfs(active_power(power)) - dbfs(float(np.percentile(power, 5)))
