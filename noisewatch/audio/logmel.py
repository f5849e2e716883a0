"""The one front end of the project, high-pass and log-Mel: streaming, causal, the same bits from any chunking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .signal import BLOCK, SAMPLE_RATE

# Frames computed at once: few enough that their arrays are reused from the heap and not asked of the system
# each time, which doubles the time of a long recording.
_SLAB = 64
_ORDER = 4  # of the high-pass


@dataclass(frozen=True)
class FrontendConfig:
    """The numbers of the front end. Stored in every model; a model whose numbers differ is refused."""

    sample_rate: int = SAMPLE_RATE
    n_fft: int = 480  # Hann window, samples (30 ms)
    hop: int = BLOCK  # samples (10 ms)
    n_mels: int = 40
    f_min: float = 0.0  # Hz
    f_max: float = 8_000.0  # Hz
    log_floor: float = 1e-10  # added to the Mel power before the natural logarithm
    highpass_hz: float = 20.0  # 3 dB down there, 24 dB at 10 Hz, nothing from 50 Hz on; 0: no high-pass

    @classmethod
    def stored(cls, fields: Mapping[str, Any]) -> FrontendConfig:
        """The numbers in a card or a checkpoint. What is older than the high-pass runs without it.

        Raises TypeError for names that do not exist.
        """
        return cls(**{"highpass_hz": 0.0, **fields})

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples (no padding)."""
        return max(0, 1 + (samples - self.n_fft) // self.hop)


class HighPass:
    """Butterworth high-pass of fourth order: DC and rumble below hearing are not sound, and must not be judged.

    Samples come out in whole blocks of 10 ms counted from the start of the stream, so that any chunking gives the
    same bits. The stream is taken to have been at the mean of its first block before it began: a constant
    offset leaves nothing, not even a click at the start.

    In partial fractions the filter is y[n] = d x[n] + Re(sum_i r_i w_i[n]), w_i[n] = p_i w_i[n-1] + x[n]. Within a
    block w_i[n] = p_i^(n+1) (w_i[-1] + sum_j p_i^-(j+1) x[j]): products and a running sum, which add in one order
    however many blocks there are. It is linear in samples and state, so an ONNX graph can hold it.
    """

    def __init__(self, config: FrontendConfig | None = None) -> None:
        self.config = config or FrontendConfig()
        self._tail = np.zeros(0, np.float32)
        self._state: list[complex] | None = None  # w_i after the last block; None before the first
        if not self.config.highpass_hz:
            return
        # Poles of the analogue prototype, prewarped, through the bilinear transform; all zeros lie at z = 1.
        warped = np.tan(np.pi * self.config.highpass_hz / self.config.sample_rate)
        angles = np.pi * (2 * np.arange(_ORDER) + _ORDER + 1) / (2 * _ORDER)
        poles = (1 + warped * np.exp(1j * angles)) / (1 - warped * np.exp(1j * angles))
        gain = float(np.prod((1 + poles) / 2).real)  # 1 at the Nyquist frequency
        residues = np.array([
            gain * (1 - 1 / p) ** _ORDER / np.prod([1 - q / p for q in poles if q != p]) for p in poles
        ])  # fmt: skip
        self._direct = gain / float(np.prod(poles).real)
        upper = poles.imag > 0  # of each conjugate pair
        self._poles = poles[upper].tolist()
        n = np.arange(1, BLOCK + 1)
        rise, fall = poles[upper, None] ** -n, 2 * residues[upper, None] * poles[upper, None] ** n
        # Real arithmetic: complex products may round differently with the length of an array.
        self._rise = np.concatenate([rise.real, rise.imag])[:, None]  # (2 pairs, 1, BLOCK)
        self._fall = np.concatenate([fall.real, -fall.imag])[:, None]
        self._step = [p**BLOCK for p in self._poles]

    def reset(self) -> None:
        """Forget what was fed: the next sample starts a new stream."""
        self._tail = np.zeros(0, np.float32)
        self._state = None

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples (n,) float32, return the whole blocks that they complete, filtered: (160 k,) float32."""
        buffer = np.concatenate([self._tail, samples]) if len(self._tail) else samples
        whole = len(buffer) // BLOCK * BLOCK
        self._tail = buffer[whole:].copy()
        if not whole or not self.config.highpass_hz:
            return buffer[:whole]
        x = buffer[:whole].reshape(-1, BLOCK)
        return np.concatenate([self._filtered(x[i : i + _SLAB]) for i in range(0, len(x), _SLAB)]).reshape(-1)

    def _filtered(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        x = samples.astype(np.float64)  # (blocks, BLOCK)
        if self._state is None:
            offset = float(x[0].mean())
            self._state = [offset / (1 - p) for p in self._poles]
        sums = (x * self._rise).cumsum(axis=2)
        pairs, ends = len(self._poles), sums[:, :, -1].tolist()
        before = np.empty(sums.shape[:2])
        for i, (step, state) in enumerate(zip(self._step, self._state, strict=True)):
            states = []
            for real, imag in zip(ends[i], ends[pairs + i], strict=True):
                states.append(state)
                state = step * (state + complex(real, imag))
            self._state[i] = state
            began = np.array(states)
            before[i], before[pairs + i] = began.real, began.imag
        sums += before[:, :, None]
        sums *= self._fall
        return np.asarray(self._direct * x + np.add.reduce(sums, axis=0), np.float32)


def high_passed(samples: NDArray[np.float32], config: FrontendConfig | None = None) -> NDArray[np.float32]:
    """A whole recording (n,) through the high-pass of the front end: (n,) float32."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % BLOCK, np.float32)])
    return HighPass(config).feed(padded)[: len(samples)]


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
