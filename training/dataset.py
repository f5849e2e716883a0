"""Windows for PyTorch: window number n is the same whatever the worker, the run or the machine."""

from __future__ import annotations

import hashlib
import inspect
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from noisewatch import frontend, levels
from noisewatch.errors import OutputError
from noisewatch.frontend import LogMel

from . import augment, mixing
from .mixing import Catalogue, Window, draw_scene, render

# (B, 298, 40) log-Mel; (B,) reference dBFS; (B, 5) targets; (B, 2, 150) levels of voice and all else, dB re loud
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE = range(5)  # columns of the targets

# A window as it is kept on disk, 24.5 kB. `made` is its last byte: a record that was cut off has none.
RECORD = np.dtype(
    [("logmel", "<f2", (298, 40)), ("tracks", "<f2", (2, 150)), ("reference", "<f4"), ("targets", "<f4", 5),
     ("made", "?")]
)  # fmt: skip
RECORDS = 4096  # in a file


class Windows(Dataset[Batch]):
    """An endless supply, numbered: window `n` of a seed is drawn from the generator (seed, n).

    With a folder `cache`, what was drawn is kept there and read the next time: drawing costs more than a step
    of the small networks does. It is found again by the same recordings, seed, code and libraries only.
    Raises OutputError when the folder cannot be written.
    """

    def __init__(self, catalogue: Catalogue, seed: int, count: int, cache: Path | None = None) -> None:
        self.catalogue, self.seed, self.count = catalogue, seed, count
        self.logmel = LogMel()
        self._folder = None if cache is None else cache / _fingerprint(catalogue, seed)
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"cannot keep windows in {cache}: {error.strerror}. Name another --cache."
                ) from error

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
        kept = self._kept(n)
        record = np.frombuffer(kept or self._drawn(n), RECORD)[0]
        if self._folder is not None and not kept:
            self._keep(n, record.tobytes())
        return (
            torch.from_numpy(record["logmel"].astype(np.float32)),
            torch.tensor(record["reference"]),
            torch.from_numpy(record["targets"].copy()),
            torch.from_numpy(record["tracks"].astype(np.float32)),
        )

    def _drawn(self, n: int) -> bytes:
        w = self.window(n)
        self.logmel.reset()
        targets = (w.noisy, w.noisy_weight, w.snr_db, w.snr_weight, w.voice)
        # Half precision resolves 0.07 dB at the quietest, and halves what has to be kept and moved.
        record = (self.logmel.feed(w.samples), w.tracks_db, w.reference_dbfs, targets, True)
        return np.array([record], RECORD).tobytes()

    def _place(self, n: int) -> tuple[Path, int]:
        assert self._folder is not None
        return self._folder / f"{n // RECORDS:06d}.windows", n % RECORDS * RECORD.itemsize

    def _kept(self, n: int) -> bytes | None:
        if self._folder is None:
            return None
        path, offset = self._place(n)
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(RECORD.itemsize)
            if len(data) == RECORD.itemsize and data[-1]:
                return data
        return None

    def _keep(self, n: int, data: bytes) -> None:
        path, offset = self._place(n)
        # A disk that is full is no reason to stop: what is not kept is drawn again.
        with suppress(OSError):
            path.touch()
            with path.open("r+b", buffering=0) as file:
                file.seek(offset)
                file.write(data)


def _fingerprint(catalogue: Catalogue, seed: int) -> str:
    """A name for the windows of a seed: of all that they are made from and with."""
    code = [inspect.getsource(module) for module in (augment, mixing, frontend, levels)]
    versions = [np.__version__, soxr.__version__, sf.__libsndfile_version__, inspect.getsource(Windows)]
    digest = hashlib.blake2b(repr((seed, RECORD, *code, *versions)).encode(), digest_size=8)
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
