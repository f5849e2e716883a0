"""Windows for PyTorch: window number n is the same whatever the worker, the run or the machine."""

from __future__ import annotations

import hashlib
import inspect
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from noisewatch import frontend, levels
from noisewatch.frontend import LogMel, high_passed

from . import augment, kept, mixing
from .augment import Samples
from .kept import Kept, once
from .mixing import Catalogue, Scene, Window, draw_scene, render
from .teachers import Teachers

# (B, 298, 40) log-Mel; (B,) reference dBFS; (B, 5) targets; (B, 2, 150) levels of voice and all else, dB re loud
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE = range(5)  # columns of the targets

# A window as it is kept on disk, 24.5 kB, and what teachers said of it.
RECORD = np.dtype(
    [("logmel", "<f2", (298, 40)), ("tracks", "<f2", (2, 150)), ("reference", "<f4"), ("targets", "<f4", 5),
     ("made", "?")]
)  # fmt: skip
LESSON = np.dtype([("noise", "<f4"), ("snr_db", "<f4"), ("made", "?")])


class Windows(Dataset[Batch]):
    """Windows by number: window `n` of a seed is drawn from the generator (seed, n); after `count` the first again.

    With a folder `cache`, what was drawn is kept there and read the next time: drawing costs more than a step
    of the small networks does. It is found again by the same recordings, seed, code and libraries only.
    With teachers, verdict and SNR to learn are `trust` parts theirs, and the rest the label's.
    Raises OutputError when the folder cannot be written.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        seed: int,
        count: int,
        cache: Path | None = None,
        teachers: Teachers | None = None,
        trust: float = 0.0,
    ) -> None:
        self.catalogue, self.seed, self.count = catalogue, seed, count
        self.teachers, self.trust = teachers, trust
        self.logmel = LogMel()
        self._kept: Kept | None = None
        self._lessons: Kept | None = None
        if cache is not None:
            folder = cache / _fingerprint(catalogue, seed)
            self._kept = Kept(folder, RECORD)
            self._lessons = Kept(folder / teachers.digest, LESSON) if teachers else None

    def __len__(self) -> int:
        return self.count

    def scene(self, n: int) -> Scene:
        """What window number n is made of."""
        return draw_scene(np.random.default_rng([self.seed, n % self.count]), self.catalogue)

    def window(self, n: int) -> Window:
        """Window number n with its labels."""
        return render(self.scene(n), self.catalogue)

    def recordings(self, n: int) -> list[str]:
        """The files that window number n is made of."""
        scene = self.scene(n)
        voices, noises = self.catalogue.speech, self.catalogue.noise
        used = [voices[scene.voice.index]] if scene.voice else []
        if scene.noise:
            used += [(voices if scene.noise.kind == "babble" else noises)[t.index] for t in scene.noise.takes]
        return [r.row.path for r in used]

    def __getitem__(self, n: int) -> Batch:
        n %= self.count
        record = once(self._kept, n, lambda: recorded(self.window(n), self.logmel))
        logmel, targets = record["logmel"].astype(np.float32), record["targets"].copy()
        if (teachers := self.teachers) and self.trust:
            self._teach(targets, once(self._lessons, n, lambda: lesson(teachers, logmel, record["reference"])))
        return (
            torch.from_numpy(logmel),
            torch.tensor(record["reference"]),
            torch.from_numpy(targets),
            torch.from_numpy(record["tracks"].astype(np.float32)),
        )

    def _teach(self, targets: Samples, lesson: np.void) -> None:
        """Blend label and teachers, who also speak of the verdict where the label does not."""
        own = targets[NOISY_WEIGHT] * (1 - self.trust)
        told = 1 / (1 + np.exp(-lesson["noise"]))
        targets[NOISY_WEIGHT] = own + self.trust
        targets[NOISY] = (own * targets[NOISY] + self.trust * told) / targets[NOISY_WEIGHT]
        targets[SNR] += self.trust * (lesson["snr_db"] - targets[SNR])


def recorded(window: Window, logmel: LogMel) -> np.void:
    """A window as it is kept."""
    logmel.reset()
    targets = (window.noisy, window.noisy_weight, window.snr_db, window.snr_weight, window.voice)
    # Half precision resolves 0.07 dB at the quietest, and halves what has to be kept and moved.
    fields = (logmel.feed(high_passed(window.samples)), window.tracks_db, window.reference_dbfs, targets, True)
    record: np.void = np.array([fields], RECORD)[0]
    return record


def lesson(teachers: Teachers, logmel: Samples, reference_dbfs: np.float32) -> np.void:
    """What teachers say of a window (298, 40), as it is kept."""
    told: np.void = np.array([(*teachers(logmel, float(reference_dbfs)), True)], LESSON)[0]
    return told


def _fingerprint(catalogue: Catalogue, seed: int) -> str:
    """A name for the windows of a seed: of all that they are made from and with."""
    code = [inspect.getsource(module) for module in (augment, mixing, frontend, levels)]
    code += [inspect.getsource(part) for part in (Windows.scene, recorded, kept)]
    versions = [np.__version__, soxr.__version__, sf.__libsndfile_version__]
    digest = hashlib.blake2b(repr((seed, RECORD, LESSON, *code, *versions)).encode(), digest_size=8)
    for recording in catalogue.speech + catalogue.noise:
        digest.update(repr(recording.row).encode())
        digest.update(recording.samples.data)
    for room in catalogue.rooms:
        digest.update(room.data)
    return digest.hexdigest()


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
