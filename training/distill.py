"""Knowledge distillation: trained models whose outputs a new network learns beside the labels.

Hinton, Vinyals and Dean 2015, arXiv 1503.02531. A label is one number; the mean of several models also says how
certain the estimate is, and is often right where a single model is wrong.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisewatch.audio.logmel import FRAMES
from noisewatch.core.model import WIDTH, Model
from noisewatch.errors import ModelError


class Teachers:
    """Models whose outputs are averaged. Raises ModelError for models that do not judge single windows."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.models = [Model(name) for name in names]
        for model in self.models:
            if model.frames != FRAMES:
                raise ModelError(f"{model.path} judges {model.frames} frames at a time; a teacher judges {FRAMES}.")
            if not model.has_width:
                raise ModelError(
                    f"{model.path} does not say how certain its SNR is (output {WIDTH}), which a teacher has to. "
                    "Train and export it with this version."
                )

    def __reduce__(self) -> tuple[type[Teachers], tuple[Any, ...]]:
        return Teachers, (self.names,)  # for spawned workers: sessions cannot be pickled

    @property
    def labels(self) -> list[str]:
        """Name and file digest of each: the file behind a name may change."""
        return [f"{m.card.name} {m.digest}" for m in self.models]

    @property
    def digest(self) -> str:
        """Identifies the models and the code that calls them."""
        known = "".join(sorted(m.digest for m in self.models)) + inspect.getsource(Teachers.__call__)
        return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()

    def __call__(self, logmel: NDArray[np.float32], reference_dbfs: float) -> tuple[float, float]:
        """Mean SNR of a window (298, 40) in dB, and mean width of its distribution in dB."""
        outputs = [m.judge(logmel, reference_dbfs) for m in self.models]
        return float(np.mean([o.snr_db for o in outputs])), float(np.mean([o.snr_width_db for o in outputs]))
