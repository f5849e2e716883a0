"""Windows as a PyTorch data set: window n is the same in every worker, run and machine."""

from __future__ import annotations

import hashlib
import inspect
import multiprocessing
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from noisewatch.audio import highpass, levels
from noisewatch.audio import logmel as frontend
from noisewatch.audio.highpass import high_passed
from noisewatch.audio.logmel import FRAMES, MELS, LogMel
from noisewatch.audio.signal import WINDOW, Samples
from noisewatch.core.events import KINDS
from noisewatch.corpus import catalogue as catalogues
from noisewatch.corpus import channel, draw, render, scene, synthetic, tracks
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.render import Window
from noisewatch.corpus.scene import Scene
from noisewatch.system.parent import exit_on, exit_with_parent

from . import window_cache
from .distill import Teachers
from .stop import leave_to_parent
from .window_cache import WindowCache, cached

# (B, 298, 40) log-Mel; (B,) reference dBFS; (B, 9) targets; (B, 2, 150) levels of voice and all else, dB re loud
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
# Columns of the targets: the labels of the window, and the teachers' median and width of the SNR with their weight.
# NOW is the SNR of the noise in the last 0.5 s, SOUND the place of its kind in KINDS, -1 if it is not known.
SNR, WEIGHT, FLOOR_ONLY, VOICE, NOW, SOUND, TEACHER_WEIGHT, TEACHER_SNR, TEACHER_WIDTH = range(9)

# A window in the cache, 24.5 kB, and the teachers' outputs for it. `complete` is last: a torn record lacks it.
WINDOW_RECORD = np.dtype(
    [("logmel", "<f2", (FRAMES, MELS)), ("tracks", "<f2", (2, WINDOW // levels.FRAME)),
     ("reference", "<f4"), ("targets", "<f4", 6), ("complete", "?")]
)  # fmt: skip
TEACHER_RECORD = np.dtype([("snr_db", "<f4"), ("width_db", "<f4"), ("complete", "?")])


class Windows(Dataset[Batch]):
    """Windows by number: window `n` of a seed is drawn from the generator (seed, n); after `count` they repeat.

    With a folder `cache`, windows are stored there and read the next time, as drawing one costs more than a step
    of the small networks. The cache is keyed by recordings, configuration, seed, code and library versions.
    With teachers, the targets also hold their estimates of the SNR.
    Raises OutputError when the folder cannot be written.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        seed: int,
        count: int,
        config: SceneConfig,
        cache: Path | None = None,
        teachers: Teachers | None = None,
        distill_weight: float = 0.0,
    ) -> None:
        self.catalogue, self.seed, self.count, self.config = catalogue, seed, count, config
        self.teachers, self.distill_weight = teachers, distill_weight
        self.logmel = LogMel()
        self._windows: WindowCache | None = None
        self._outputs: WindowCache | None = None
        if cache is not None:
            folder = cache / _fingerprint(catalogue, seed, config)
            self._windows = WindowCache(folder, WINDOW_RECORD)
            self._outputs = WindowCache(folder / teachers.digest, TEACHER_RECORD) if teachers else None

    def __len__(self) -> int:
        return self.count

    def scene(self, n: int) -> Scene:
        """The parameters of window number n."""
        return scene.draw_scene(np.random.default_rng([self.seed, n % self.count]), self.catalogue, self.config)

    def window(self, n: int) -> Window:
        """Window number n with its labels."""
        return render.render(self.scene(n), self.catalogue, self.config)

    def recordings(self, n: int) -> list[str]:
        """The files that window number n is made of."""
        drawn = self.scene(n)
        voices, noises = self.catalogue.speech, self.catalogue.noise
        used = [voices[drawn.voice.index]] if drawn.voice else []
        if drawn.noise:
            used += [(voices if drawn.noise.spoken else noises)[t.index] for t in drawn.noise.takes]
        return [r.row.path for r in used]

    def __getitem__(self, n: int) -> Batch:
        n %= self.count
        record = cached(self._windows, n, lambda: window_record(self.window(n), self.logmel))
        logmel = record["logmel"].astype(np.float32)
        targets = np.append(record["targets"], np.zeros(3, np.float32))
        if (teachers := self.teachers) and self.distill_weight:
            reference = float(record["reference"])
            output = cached(self._outputs, n, lambda: teacher_record(teachers, logmel, reference))
            targets[TEACHER_WEIGHT:] = self.distill_weight, output["snr_db"], output["width_db"]
        return (
            torch.from_numpy(logmel),
            torch.tensor(record["reference"]),
            torch.from_numpy(targets),
            torch.from_numpy(record["tracks"].astype(np.float32)),
        )


def window_record(window: Window, logmel: LogMel) -> np.void:
    """A window as the cache stores it."""
    logmel.reset()
    sound = KINDS.index(window.sound) if window.sound in KINDS else -1
    targets = (window.snr_db, window.weight, window.floor_only, window.voice, window.now_db, sound)
    # Half precision resolves 0.07 dB at worst, and halves the storage.
    features = logmel.feed(high_passed(window.samples))
    fields = (features, window.tracks_db, window.reference_dbfs, targets, True)
    record: np.void = np.array([fields], WINDOW_RECORD)[0]
    return record


def teacher_record(teachers: Teachers, logmel: Samples, reference_dbfs: float) -> np.void:
    """The teachers' outputs for a window (298, 40), as the cache stores them."""
    record: np.void = np.array([(*teachers(logmel, reference_dbfs), True)], TEACHER_RECORD)[0]
    return record


def _fingerprint(catalogue: Catalogue, seed: int, config: SceneConfig) -> str:
    """Digest of all that determines the windows of a seed: recordings, configuration, code and library versions."""
    drawn_by = (channel, catalogues, draw, scene, synthetic, tracks, render)
    code = [inspect.getsource(module) for module in (*drawn_by, highpass, frontend, levels, window_cache)]
    code += [inspect.getsource(part) for part in (Windows.scene, window_record)]
    versions = [np.__version__, soxr.__version__, sf.__libsndfile_version__]
    made_with = (seed, config, WINDOW_RECORD, TEACHER_RECORD, *code, *versions)
    digest = hashlib.blake2b(repr(made_with).encode(), digest_size=8)
    for recording in catalogue.speech + catalogue.noise:
        digest.update(repr(recording.row).encode())
        digest.update(recording.samples.data)
    for room in catalogue.rooms:
        digest.update(room.data)
    return digest.hexdigest()


def _begin_worker(unwanted: Connection, _: int) -> None:
    leave_to_parent()
    exit_with_parent()
    exit_on(unwanted)


def batches(
    windows: Windows, batch: int, first: int, last: int, workers: int, share: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """Batches first..last-1 of `batch` consecutive windows each; a resumed run starts in the middle.

    share: rank and number of the processes that share each batch.
    """
    rank, world = share
    mine = batch // world
    order = [range(i * batch + rank * mine, i * batch + (rank + 1) * mine) for i in range(first, last)]
    unwanted, writer = multiprocessing.Pipe(duplex=False)
    loader: DataLoader[Batch] = DataLoader(
        windows,
        batch_sampler=order,  # type: ignore[arg-type]
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=partial(_begin_worker, unwanted),
    )
    drawn = iter(loader)
    try:
        yield from drawn
    finally:
        writer.send(None)  # otherwise the workers finish their batches, which may take seconds
