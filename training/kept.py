"""Records that are kept on disk by number, for the next run that needs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from noisewatch.errors import OutputError

RECORDS = 4096  # in a file


class Kept:
    """Records of a structured dtype whose last field is `made`: a record that was cut off has none.

    Several processes may read and write at once: a record always holds the same bytes. After a power failure a
    record may be `made` and yet hold zeros: then delete the folder. Raises OutputError when
    the folder cannot be made.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self._folder, self._dtype = folder, dtype
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot keep windows in {folder}: {error.strerror}. Name another --cache."
            ) from error

    def __getitem__(self, n: int) -> np.void | None:
        """Record number n, or None where it was not kept."""
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
        # A disk that is full is no reason to stop: what is not kept is made again.
        with suppress(OSError):
            path.touch()
            with path.open("r+b", buffering=0) as file:
                file.seek(offset)
                file.write(record.tobytes())

    def _place(self, n: int) -> tuple[Path, int]:
        return self._folder / f"{n // RECORDS:06d}.windows", n % RECORDS * self._dtype.itemsize


def once(kept: Kept | None, n: int, make: Callable[[], np.void]) -> np.void:
    """Record number n as it was kept, or made now and kept; without a place to keep it, made now."""
    record = None if kept is None else kept[n]
    if record is None:
        record = make()
        if kept is not None:
            kept[n] = record
    return record
