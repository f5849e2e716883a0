"""Finished networks whose verdicts a new one learns from, beside the labels. Hinton et al. 2015, arXiv 1503.02531

https://arxiv.org/abs/1503.02531. A label is a bit; what several networks make of a window also says how sure
anybody could be, and where the networks differ, their mean is often right where one of them is not.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisewatch.errors import ModelError
from noisewatch.model import Model

from .nets.head import FRAMES


class Teachers:
    """Models of one opinion: the mean of what they say. Raises ModelError for what cannot teach."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.models = [Model(name) for name in names]
        for model in self.models:
            if model.frames != FRAMES or model.initial_state():
                raise ModelError(
                    f"{model.path} judges {model.frames} frames at a time and carries on "
                    f"{len(model.initial_state())} states; a teacher judges {FRAMES} and carries on none."
                )

    def __reduce__(self) -> tuple[type[Teachers], tuple[Any, ...]]:
        return Teachers, (self.names,)  # for workers that do not fork: sessions cannot be copied

    @property
    def known_as(self) -> list[str]:
        """Name and digest of each: a name alone may mean another file tomorrow."""
        return [f"{m.card.name} {m.digest}" for m in self.models]

    @property
    def digest(self) -> str:
        """A name for what they know, and how they tell it."""
        known = "".join(sorted(m.digest for m in self.models)) + inspect.getsource(Teachers.__call__)
        return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()

    def __call__(self, logmel: NDArray[np.float32], reference_dbfs: float) -> tuple[float, float]:
        """The calibrated noise logit of a window (298, 40), and its SNR in dB."""
        told = [m(logmel, reference_dbfs, m.initial_state())[0] for m in self.models]
        return float(np.mean([t.noise_logit for t in told])), float(np.mean([t.snr_db for t in told]))
