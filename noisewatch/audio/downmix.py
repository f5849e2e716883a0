"""The downmix of many channels to one, the same at run time and in training."""

from __future__ import annotations

import math

import numpy as np

from .signal import Samples

BLOCK_S = 0.1  # s between decisions
MEMORY_S = 0.5  # time constant of the averaged powers
# Power of the sum over the sum of powers: 1 for uncorrelated channels, 0 for channels that cancel.
CANCELS = 0.25  # below it, the loudest channel is used
AGREES = 0.5  # above it, the mean is used again
FADE_S = 0.01  # crossfade between the two, against clicks
MAX_BLOCK = 1 << 18  # samples of all channels in a block


class Downmix:
    """The mean of all channels or, where they cancel each other (opposite polarity), the loudest of them.

    The choice is made every 0.1 s, from the powers of about the last half second. Any chunking gives the same bits.

    cancelled  whether the channels have cancelled each other at any time so far
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self.channels = channels
        self.cancelled = False
        self._block = block_frames(channels, sample_rate)
        self._fade = min(self._block, max(1, round(FADE_S * sample_rate)))
        self._keep = math.exp(-self._block / sample_rate / MEMORY_S)
        self._powers = [0.0] * channels
        self._sum = 0.0  # power of the sum of all channels
        self._picked: int | None = None
        self._began = False
        self._tail = np.zeros((0, channels), np.float32)

    def feed(self, samples: Samples) -> Samples:
        """Take samples (n, channels); return the blocks that they complete as one channel (m,)."""
        if self.channels == 1:
            return samples[:, 0]
        if len(self._tail):
            samples = np.concatenate([self._tail, samples])
        whole = len(samples) // self._block * self._block
        self._tail = samples[whole:].copy()
        return self._mixed(samples[:whole], self._block)

    def finish(self) -> Samples:
        """Return the rest (m,), less than a block."""
        rest, self._tail = self._tail, self._tail[:0]
        return self._mixed(rest, len(rest))

    @np.errstate(over="ignore", invalid="ignore")  # as_float refuses samples that are not finite
    def _mixed(self, samples: Samples, size: int) -> Samples:
        mono = _mean(samples)
        if not len(mono):
            return mono
        powers = np.stack([_power(samples[:, c], size) for c in range(self.channels)], 1).tolist()
        sums = (_power(mono, size) * self.channels**2).tolist()
        for number, (power, total) in enumerate(zip(powers, sums, strict=True)):
            before, now = self._picked, self._decide(power, total)
            if before is None and now is None:
                continue
            start = number * size
            block = samples[start : start + size]
            new = _one(block, now)
            if before != now and (self._began or number):
                share = np.linspace(0, 1, min(self._fade, size), dtype=np.float32)
                old = _one(block[: len(share)], before)
                new[: len(share)] = old + share * (new[: len(share)] - old)
            mono[start : start + size] = new
        self._began = True
        return mono

    def _decide(self, power: list[float], total: float) -> int | None:
        keep = self._keep
        self._powers = [keep * p + q for p, q in zip(self._powers, power, strict=True)]
        self._sum = keep * self._sum + total
        apart = sum(self._powers)
        if self._picked is None and self._sum < CANCELS * apart:
            self._picked = self._powers.index(max(self._powers))
            self.cancelled = True
        elif self._picked is not None and self._sum > AGREES * apart:
            self._picked = None
        return self._picked


def block_frames(channels: int, sample_rate: int) -> int:
    """Samples per channel in a block: 0.1 s, or fewer for very many channels."""
    return max(1, min(round(BLOCK_S * sample_rate), MAX_BLOCK // channels))


def _one(block: Samples, picked: int | None) -> Samples:
    return _mean(block) if picked is None else block[:, picked].copy()


def _mean(samples: Samples) -> Samples:
    if samples.shape[1] == 2:  # the same bits as `mean` in a tenth of the time
        return np.asarray((samples[:, 0] + samples[:, 1]) / np.float32(2))
    return np.asarray(samples.mean(axis=1))


def _power(samples: Samples, size: int) -> Samples:
    """Power of each block of samples (n,) around its mean: (n // size,), the same bits from any chunking.

    A constant offset is not sound: channels with the same sound may have opposite offsets, and vice versa.
    """
    blocks = np.ascontiguousarray(samples).reshape(-1, size)
    blocks = blocks - blocks[:, :1]  # a constant block becomes exactly 0
    blocks -= (np.einsum("kb->k", blocks) / np.float32(size))[:, None]
    return np.asarray(np.einsum("kb,kb->k", blocks, blocks))
