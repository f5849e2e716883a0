"""The front end of the project, from samples to log-Mel frames: streaming, causal, the same bits from any chunking.

Its parameters are in `FrontendConfig` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .signal import BLOCK, SAMPLE_RATE, WINDOW, Samples

# Frames or blocks computed at once: few enough that the heap reuses their arrays. Larger arrays are requested from
# the system each time, which doubles the time of a long recording.
SLAB = 64


@dataclass(frozen=True)
class FrontendConfig:
    """The parameters of the front end, which also determine the shape of the networks' input.

    They are stored in every model, and a model with other values is refused: after a change here, say to 80 Mel
    bands, every model has to be trained and exported again.
    """

    sample_rate: int = SAMPLE_RATE
    n_fft: int = 3 * BLOCK  # Hann window, samples (30 ms)
    hop: int = BLOCK  # samples between frames (10 ms)
    n_mels: int = 40  # Mel bands
    f_min: float = 0.0  # Hz
    f_max: float = SAMPLE_RATE / 2  # Hz
    log_floor: float = 1e-10  # added to the Mel power before the natural logarithm
    highpass_hz: float = 20.0  # -3 dB; -24 dB an octave below, 0 dB from 50 Hz; 0: no high-pass

    @classmethod
    def stored(cls, fields: Mapping[str, Any]) -> FrontendConfig:
        """The config in a card or a checkpoint. Those from before the high-pass have none, and run without it.

        Raises TypeError for names that do not exist.
        """
        return cls(**{"highpass_hz": 0.0, **fields})

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples (no padding)."""
        return max(0, 1 + (samples - self.n_fft) // self.hop)


MELS = FrontendConfig.n_mels
FRAMES = FrontendConfig().frames(WINDOW)  # of a window


def mel_edges(config: FrontendConfig) -> NDArray[np.float64]:
    """Edges of the Mel bands in Hz: band b rises from edge b to b + 1 and falls to b + 2; (n_mels + 2,)."""

    def mel(hz: float) -> float:
        return float(2595.0 * np.log10(1.0 + hz / 700.0))

    edges_mel = np.linspace(mel(config.f_min), mel(config.f_max), config.n_mels + 2)
    return np.asarray(700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0))


def mel_filters(config: FrontendConfig) -> NDArray[np.float64]:
    """Triangular filters on the HTK Mel scale, without area normalisation: (n_fft // 2 + 1, n_mels)."""
    edges_hz = mel_edges(config)
    bins_hz = np.linspace(0.0, config.sample_rate / 2, config.n_fft // 2 + 1)
    rise = (bins_hz[:, None] - edges_hz[None, :-2]) / np.diff(edges_hz)[None, :-1]
    fall = (edges_hz[None, 2:] - bins_hz[:, None]) / np.diff(edges_hz)[None, 1:]
    return np.maximum(0.0, np.minimum(rise, fall))


class LogMel:
    """Natural logarithm of Mel power, frame by frame as samples arrive.

    >>> LogMel().feed(np.zeros(48_000, np.float32)).shape
    (298, 40)
    """

    def __init__(self, config: FrontendConfig | None = None) -> None:
        self.config = config or FrontendConfig()
        # The periodic Hann window of spectral analysis, as scipy.signal.get_window and torch.hann_window give it.
        n = np.arange(self.config.n_fft)
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / self.config.n_fft)
        # A bin feeds two filters at most, so the product with the filters is a gather and a sum over each filter's
        # run of bins. Its order of addition does not depend on the number of frames; that of a matrix product
        # does (7.8e-7 apart between chunkings).
        filters = mel_filters(self.config)
        runs = [np.flatnonzero(filters[:, m]) for m in range(self.config.n_mels)]
        self._bins = np.concatenate(runs)
        self._weights = np.concatenate([filters[run, m] for m, run in enumerate(runs)])
        self._starts = np.cumsum([0] + [len(run) for run in runs[:-1]])
        self._tail = np.zeros(0, np.float32)

    def reset(self) -> None:
        """Forget what was fed: the next sample starts a new stream."""
        self._tail = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        """Take samples (n,) float32 in -1..1; return the frames that they complete: (frames, n_mels) float32."""
        config = self.config
        buffer = np.concatenate([self._tail, samples])
        count = config.frames(len(buffer))
        self._tail = buffer[count * config.hop :].copy()
        if count == 0:
            return np.zeros((0, config.n_mels), np.float32)
        # sliding_window_view gives the same but takes ten times as long, for its checks.
        (step,) = buffer.strides
        frames = np.lib.stride_tricks.as_strided(
            buffer, (count, config.n_fft), (step * config.hop, step), writeable=False
        )
        return np.concatenate([self._log_mel(frames[i : i + SLAB]) for i in range(0, count, SLAB)])

    def _log_mel(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        # Double precision: with a loud voice, rounding in single precision raises the floor of quiet bands.
        spectrum = np.fft.rfft(frames * self._hann, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        mel = np.add.reduceat(power[:, self._bins] * self._weights, self._starts, axis=1)
        return np.asarray(np.log(mel + self.config.log_floor), np.float32)
