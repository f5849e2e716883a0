"""Windows for PyTorch: window number n is the same whatever the worker, the run or the machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from noisewatch.frontend import LogMel

from .mixing import Catalogue, Window, draw_scene, render

# (B, 298, 40) log-Mel; (B,) reference dBFS; (B, 5) targets; (B, 2, 150) levels of voice and all else, dB re loud
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE = range(5)  # columns of the targets


class Windows(Dataset[Batch]):
    """An endless supply, numbered: window `n` of a seed is drawn from the generator (seed, n)."""

    def __init__(self, catalogue: Catalogue, seed: int, count: int) -> None:
        self.catalogue, self.seed, self.count = catalogue, seed, count
        self.logmel = LogMel()

    def __len__(self) -> int:
        return self.count

    def window(self, n: int) -> Window:
        """Window number n with its labels."""
        return render(draw_scene(np.random.default_rng([self.seed, n]), self.catalogue), self.catalogue)

    def recordings(self, n: int) -> list[str]:
        """The files that window number n is made of."""
        scene = draw_scene(np.random.default_rng([self.seed, n]), self.catalogue)
        voices, noises = self.catalogue.speech, self.catalogue.noise
        used = [voices[scene.voice.index]] if scene.voice else []
        if scene.noise:
            used += [(voices if scene.noise.kind == "babble" else noises)[t.index] for t in scene.noise.takes]
        return [r.row.path for r in used]

    def __getitem__(self, n: int) -> Batch:
        w = self.window(n)
        self.logmel.reset()
        targets = [w.noisy, w.noisy_weight, w.snr_db, w.snr_weight, w.voice]
        return (
            torch.from_numpy(self.logmel.feed(w.samples)),
            torch.tensor(w.reference_dbfs, dtype=torch.float32),
            torch.tensor(targets, dtype=torch.float32),
            torch.from_numpy(w.tracks_db),
        )


def _ignore_interrupts(_: int) -> None:
    # Both reach the whole process group; the loop decides when the workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def batches(
    windows: Windows, batch: int, first: int, last: int, workers: int, share: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """Batches number first..last-1, each `batch` consecutive windows; resuming starts in the middle.

    share: rank and number of the processes that divide each batch between them.
    """
    rank, world = share
    mine = batch // world
    order = [range(i * batch + rank * mine, i * batch + (rank + 1) * mine) for i in range(first, last)]
    loader: DataLoader[Batch] = DataLoader(
        windows,
        batch_sampler=order,  # type: ignore[arg-type]
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_ignore_interrupts,
    )
    yield from loader
