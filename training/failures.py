"""What can go wrong in a run: numbers that are not finite, memory that runs out; and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from noisewatch.errors import NoisewatchError

from .config import TrainConfig
from .dataset import Batch, Windows
from .run import Run


def diverged(run: Run, what: str) -> NoisewatchError:
    """The error for a run whose numbers are not finite: `what` happened, and how to continue."""
    saved = (run.out / "last.pt").exists()
    advice = f"The last good checkpoint is in {run.out}: go on with --resume" if saved else "Start again"
    return NoisewatchError(f"{what}. {advice}, and try a lower --lr than {run.config.lr}.")


def suspects(batch: Batch, windows: Windows, first: int) -> str:
    """Why the loss of a batch is not finite, as a clause; `first`: number of its first window."""
    for place, parts in enumerate(zip(*batch, strict=True)):
        if not all(torch.isfinite(part).all() for part in parts):
            used = ", ".join(windows.recordings(first + place)) or "generated noise alone"
            return f"by a window of {used}: leave those files out"
    return "though every window of the batch is finite"


@contextmanager
def memory_errors(config: TrainConfig) -> Iterator[None]:
    """Turn running out of memory into an error that says what to reduce."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
            raise NoisewatchError(
                f"the memory is too small for {config.net} with {config.batch} windows a step. "
                f"Try --batch {max(2, config.batch // 2)}, or fewer --workers than {config.workers}."
            ) from error
        raise
