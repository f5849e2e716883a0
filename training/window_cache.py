"""Fixed-size records on disk, by number: windows and teachers' outputs for the next run on the same data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from noisewatch.errors import OutputError

RECORDS = 4096  # per file


class WindowCache:
    """Records of a structured dtype whose last field is the flag `complete`: a torn record lacks it.

    Several processes may read and write at once, as a record always holds the same bytes. After a power failure a
    record may be marked complete and hold zeros: delete the folder then. Raises OutputError when the folder cannot
    be made.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self._folder, self._dtype = folder, dtype
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot cache windows in {folder}: {error.strerror}. Name another --cache."
            ) from error

    def __getitem__(self, n: int) -> np.void | None:
        """Record number n, or None where it is missing."""
        path, offset = self._place(n)
        with suppress(OSError), path.open("rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(self._dtype.itemsize)
            if len(data) == self._dtype.itemsize and data[-1]:
                record: np.void = np.frombuffer(data, self._dtype)[0]
                return record
        return None

    def __setitem__(self, n: int, record: np.void) -> None:
        path, offset = self._place(n)
        # A full disk is no reason to stop: windows that are not cached are drawn again.
        with suppress(OSError):
            path.touch()
            with path.open("r+b", buffering=0) as file:
                file.seek(offset)
                file.write(record.tobytes())

    def _place(self, n: int) -> tuple[Path, int]:
        return self._folder / f"{n // RECORDS:06d}.windows", n % RECORDS * self._dtype.itemsize


def cached(cache: WindowCache | None, n: int, make: Callable[[], np.void]) -> np.void:
    """Record number n from the cache, or made now and stored."""
    record = None if cache is None else cache[n]
    if record is None:
        record = make()
        if cache is not None:
            cache[n] = record
    return record
