"""Streaming resampling of audio at any sample rate to 16 kHz."""

from __future__ import annotations

import numpy as np
import soxr

from .signal import SAMPLE_RATE, Samples


class Resampler:
    """Resamples mono blocks to 16 kHz. The rate may change between blocks; audio at 16 kHz passes unchanged."""

    def __init__(self) -> None:
        self._rate = SAMPLE_RATE
        self._soxr: soxr.ResampleStream | None = None  # None at 16 kHz and at the start

    def feed(self, samples: Samples, sample_rate: int) -> Samples:
        """Take samples (n,) float32 at `sample_rate` (Hz); return those that are ready (m,) float32 at 16 kHz."""
        rest = np.zeros(0, np.float32)
        if sample_rate != self._rate:
            rest, self._rate = self.flush(), sample_rate
        if sample_rate != SAMPLE_RATE:
            if self._soxr is None:
                self._soxr = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
            samples = np.asarray(self._soxr.resample_chunk(samples), np.float32)
        return np.concatenate([rest, samples]) if len(rest) else samples

    def flush(self) -> Samples:
        """The last milliseconds (m,), which the filter still holds; the next block starts a new stream."""
        if self._soxr is None:
            return np.zeros(0, np.float32)
        rest = np.asarray(self._soxr.resample_chunk(np.zeros(0, np.float32), last=True), np.float32)
        self._soxr = None
        return rest
