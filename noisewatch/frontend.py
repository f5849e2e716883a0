"""The one log-Mel spectrogram of the project: streaming, causal, the same bits from any chunking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Frames computed at once: few enough that their arrays are reused from the heap and not asked of the system
# each time, which doubles the time of a long recording.
_SLAB = 64


@dataclass(frozen=True)
class FrontendConfig:
    """The numbers of the front end. Stored in every model; a model whose numbers differ is refused."""

    sample_rate: int = 16_000
    n_fft: int = 480  # Hann window, samples (30 ms)
    hop: int = 160  # samples (10 ms)
    n_mels: int = 40
    f_min: float = 0.0  # Hz
    f_max: float = 8_000.0  # Hz
    log_floor: float = 1e-10  # added to the Mel power before the natural logarithm

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples (no padding)."""
        return max(0, 1 + (samples - self.n_fft) // self.hop)


def mel_filters(config: FrontendConfig) -> NDArray[np.float64]:
    """Triangular filters on the HTK Mel scale, no area normalisation: (n_fft // 2 + 1, n_mels)."""

    def mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))

    edges_mel = np.linspace(mel(config.f_min), mel(config.f_max), config.n_mels + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = np.linspace(0.0, config.sample_rate / 2, config.n_fft // 2 + 1)
    rise = (bins_hz[:, None] - edges_hz[None, :-2]) / np.diff(edges_hz)[None, :-1]
    fall = (edges_hz[None, 2:] - bins_hz[:, None]) / np.diff(edges_hz)[None, 1:]
    return np.maximum(0.0, np.minimum(rise, fall))


class LogMel:
    """Natural log of Mel power, frame by frame as samples arrive.

    >>> LogMel().feed(np.zeros(48_000, np.float32)).shape
    (298, 40)
    """

    def __init__(self, config: FrontendConfig | None = None) -> None:
        self.config = config or FrontendConfig()
        # A periodic Hann window, as spectral analysis uses (scipy.signal.get_window, torch.hann_window).
        n = np.arange(self.config.n_fft)
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / self.config.n_fft)
        # A bin feeds two filters at most, so the product with the filters is a gather and a sum over
        # each filter's own run of bins. It also adds in one order whatever the number of frames, which
        # a matrix product does not (7.8e-7 apart between chunkings).
        filters = mel_filters(self.config)
        runs = [np.flatnonzero(filters[:, m]) for m in range(self.config.n_mels)]
        self._bins = np.concatenate(runs)
        self._weights = np.concatenate([filters[run, m] for m, run in enumerate(runs)])
        self._starts = np.cumsum([0] + [len(run) for run in runs[:-1]])
        self._tail = np.zeros(0, np.float32)

    def reset(self) -> None:
        """Forget what was fed: the next sample starts a new stream."""
        self._tail = np.zeros(0, np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples (n,) float32 in -1..1, return the frames they complete: (frames, n_mels) float32."""
        config = self.config
        buffer = np.concatenate([self._tail, samples])
        count = config.frames(len(buffer))
        self._tail = buffer[count * config.hop :].copy()
        if count == 0:
            return np.zeros((0, config.n_mels), np.float32)
        # sliding_window_view says the same, ten times slower: its checks cost more than these frames.
        (step,) = buffer.strides
        frames = np.lib.stride_tricks.as_strided(
            buffer, (count, config.n_fft), (step * config.hop, step), writeable=False
        )
        return np.concatenate([self._log_mel(frames[i : i + _SLAB]) for i in range(0, count, _SLAB)])

    def _log_mel(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        # Double precision: beside a loud voice, single precision would leave its own floor in quiet bands.
        spectrum = np.fft.rfft(frames * self._hann, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        mel = np.add.reduceat(power[:, self._bins] * self._weights, self._starts, axis=1)
        return np.asarray(np.log(mel + self.config.log_floor), np.float32)
