"""High-pass and log-Mel frames of a stream, computed at once and handed out bit by bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .highpass import HighPass
from .logmel import FrontendConfig, LogMel
from .signal import BLOCK, Samples

Frames = NDArray[np.float32]


class FrontEnd:
    """What the next samples of a stream sound like: a second in one call costs less than ten times 0.1 s.

    >>> front_end = FrontEnd()
    >>> front_end.feed(samples)
    >>> audible, frames = front_end.take(1600)  # of the first 1600 of them
    """

    def __init__(self, config: FrontendConfig | None = None) -> None:
        self.config = config or FrontendConfig()
        self._highpass, self._logmel = HighPass(self.config), LogMel(self.config)
        self.reset()

    def reset(self) -> None:
        """Forget what was fed: the next sample starts a new stream."""
        self._highpass.reset()
        self._logmel.reset()
        self._audible = np.zeros(0, np.float32)  # computed, not taken yet
        self._frames = np.zeros((0, self.config.n_mels), np.float32)
        self._taken = self._heard = self._framed = 0  # samples, filtered samples and frames taken so far

    def feed(self, samples: Samples) -> None:
        """Take samples (n,) float32 at 16 kHz. Everything that was fed before must have been taken."""
        self._audible = self._highpass.feed(samples)
        self._frames = self._logmel.feed(self._audible)

    def take(self, count: int) -> tuple[Samples, Frames]:
        """What the next `count` samples complete: filtered samples in blocks of 160, and frames (n, n_mels)."""
        self._taken += count
        whole = self._taken // BLOCK * BLOCK
        heard, framed = whole - self._heard, self.config.frames(whole) - self._framed
        self._heard, self._framed = whole, self._framed + framed
        audible, self._audible = self._audible[:heard], self._audible[heard:]
        frames, self._frames = self._frames[:framed], self._frames[framed:]
        return audible, frames
