"""A voice as frames of the vocoder WORLD: F0, spectral envelope and aperiodicity.

Morise et al. 2016, https://doi.org/10.1587/transinf.2015EDP7457
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisewatch.audio.signal import SAMPLE_RATE, Samples
from noisewatch.errors import UsageError

PERIOD_S = 0.005
_F0_SEARCH = (60.0, 700.0)  # Hz

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frames:
    """A voice in frames of 5 ms."""

    f0: Array  # (n,) Hz; 0: unvoiced
    envelope: Array  # (n, bins) power, from 0 Hz to 8 kHz
    aperiodicity: Array  # (n, bins) share of the amplitude that is noise, 0..1

    @property
    def power(self) -> Array:
        """The mean power of each frame (n,), in arbitrary units."""
        return np.asarray(self.envelope.mean(1))

    @property
    def median_f0(self) -> float:
        """The median F0 of the voiced frames, Hz; 0 if there are none."""
        voiced = self.f0[self.f0 > 0]
        return float(np.median(voiced)) if len(voiced) else 0.0

    @property
    def voiced_share(self) -> float:
        """The share of the loud frames, within 20 dB of the loudest, that are periodic."""
        loud = self.power > self.power.max(initial=0) / 100
        periodic = (self.f0 > 0) & (self.aperiodicity.mean(1) < 0.99)  # D4C marks all bins of a frame as noise
        return float(periodic[loud].mean()) if loud.any() else 0.0

    def __getitem__(self, span: slice) -> Frames:
        return Frames(self.f0[span], self.envelope[span], self.aperiodicity[span])


def analysed(samples: Samples) -> Frames:
    """The frames of samples (n,) at 16 kHz: DIO, StoneMask, CheapTrick and D4C."""
    world, x = _world(), samples.astype(np.float64)
    rough, times = world.dio(
        x, SAMPLE_RATE, f0_floor=_F0_SEARCH[0], f0_ceil=_F0_SEARCH[1], frame_period=1000 * PERIOD_S
    )
    f0 = world.stonemask(x, rough, times, SAMPLE_RATE)
    aperiodicity = world.d4c(x, f0[::2].copy(), times[::2].copy(), SAMPLE_RATE)  # slow: on every other frame
    return Frames(f0, world.cheaptrick(x, f0, times, SAMPLE_RATE), np.repeat(aperiodicity, 2, axis=0)[: len(f0)])


def synthesised(frames: Frames) -> Samples:
    """The samples (n,) float32 at 16 kHz of frames."""
    parts = (np.ascontiguousarray(part) for part in (frames.f0, frames.envelope, frames.aperiodicity))
    return np.asarray(_world().synthesize(*parts, SAMPLE_RATE, 1000 * PERIOD_S), np.float32)


def _world() -> Any:
    """The module pyworld. It is in no extra, as it has no wheels: installing it needs a compiler."""
    try:
        import pyworld
    except ImportError as error:
        raise UsageError(
            f"making voices needs the vocoder WORLD ({error}). Install it with: "
            "pip install pyworld 'setuptools<81' (it is compiled on installation, so a C++ compiler is needed)."
        ) from error
    return pyworld
