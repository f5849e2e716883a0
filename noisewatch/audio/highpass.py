"""The high-pass filter in front of everything else: streaming, causal, the same bits from any chunking."""

from __future__ import annotations

from copy import copy
from functools import cache

import numpy as np

from .logmel import SLAB, FrontendConfig
from .signal import BLOCK, Samples

_ORDER = 4


class HighPass:
    """Fourth-order Butterworth high-pass: a DC offset and infrasound are inaudible and must not be judged.

    Samples come out in whole blocks of 10 ms, counted from the start of the stream, so any chunking gives the same
    bits. Before its start the signal is assumed constant at the mean of the first block, so an offset causes
    no click.

    In partial fractions the filter is y[n] = d x[n] + Re(sum_i r_i w_i[n]) with w_i[n] = p_i w_i[n-1] + x[n].
    Within a block, w_i[n] = p_i^(n+1) (w_i[-1] + sum_j p_i^-(j+1) x[j]): products and a cumulative sum, whose
    order of addition does not depend on the number of blocks. No loop over samples, and no SciPy.

    direct, poles  d, and p_i of each conjugate pair
    rise, fall     p_i^-(j+1) and 2 r_i p_i^(n+1): (2 pairs, 1, 160), real parts, then imaginary (fall: negated)
    """

    def __init__(self, config: FrontendConfig | None = None) -> None:
        self.config = config or FrontendConfig()
        self._tail = np.zeros(0, np.float32)
        self._state: list[complex] | None = None  # w_i after the last block; None before the first block
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
        self.direct = gain / float(np.prod(poles).real)
        upper = poles.imag > 0  # of each conjugate pair
        self.poles = poles[upper].tolist()
        n = np.arange(1, BLOCK + 1)
        rise, fall = poles[upper, None] ** -n, 2 * residues[upper, None] * poles[upper, None] ** n
        # Real arithmetic: complex products may round differently with the length of an array.
        self.rise = np.concatenate([rise.real, rise.imag])[:, None]  # (2 pairs, 1, BLOCK)
        self.fall = np.concatenate([fall.real, -fall.imag])[:, None]
        self._step = [p**BLOCK for p in self.poles]

    def reset(self) -> None:
        """Forget what was fed: the next sample starts a new stream."""
        self._tail = np.zeros(0, np.float32)
        self._state = None

    def feed(self, samples: Samples) -> Samples:
        """Take samples (n,) float32; return the blocks that they complete, filtered: (160 k,) float32."""
        buffer = np.concatenate([self._tail, samples]) if len(self._tail) else samples
        whole = len(buffer) // BLOCK * BLOCK
        self._tail = buffer[whole:].copy()
        if not whole or not self.config.highpass_hz:
            return buffer[:whole]
        x = buffer[:whole].reshape(-1, BLOCK)
        return np.concatenate([self._filtered(x[i : i + SLAB]) for i in range(0, len(x), SLAB)]).reshape(-1)

    def _filtered(self, samples: Samples) -> Samples:
        x = samples.astype(np.float64)  # (blocks, BLOCK)
        if self._state is None:
            offset = float(x[0].mean())
            self._state = [offset / (1 - p) for p in self.poles]
        sums = x * self.rise
        np.cumsum(sums, axis=2, out=sums)
        pairs, ends = len(self.poles), sums[:, :, -1].tolist()
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
        sums *= self.fall
        return np.asarray(self.direct * x + np.add.reduce(sums, axis=0), np.float32)


def high_passed(samples: Samples, config: FrontendConfig | None = None) -> Samples:
    """Filter a whole recording (n,): (n,) float32."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % BLOCK, np.float32)])
    return copy(_designed(config or FrontendConfig())).feed(padded)[: len(samples)]


@cache
def _designed(config: FrontendConfig) -> HighPass:
    """A filter that was fed nothing."""
    return HighPass(config)
