"""Finished networks whose verdicts a new one learns from, beside the labels. Hinton et al. 2015, arXiv 1503.02531

https://arxiv.org/abs/1503.02531. A label is a bit; what several networks make of a window also says how sure
anybody could be, and where the networks differ, their mean is right more often than any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisewatch.model import Model


class Teachers:
    """Models of one opinion: the mean of what they say. Raises ModelError for what is no model."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.models = [Model(name) for name in names]

    def __reduce__(self) -> tuple[type[Teachers], tuple[Any, ...]]:
        return Teachers, (self.names,)  # for workers that do not fork: sessions cannot be copied

    @property
    def digest(self) -> str:
        """A name for what they know."""
        known = "".join(sorted(m.digest for m in self.models))
        return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()

    def __call__(self, logmel: NDArray[np.float32], reference_dbfs: float) -> tuple[float, float]:
        """The calibrated noise logit of a window (298, 40), and its SNR in dB."""
        told = [m(logmel, reference_dbfs, m.initial_state())[0] for m in self.models]
        return float(np.mean([t.noise_logit for t in told])), float(np.mean([t.snr_db for t in told]))
