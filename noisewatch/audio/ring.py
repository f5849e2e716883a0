"""A ring buffer of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ring:
    """The last `capacity` rows of a stream, contiguous in memory: reading them copies nothing."""

    def __init__(self, capacity: int, width: int) -> None:
        """An empty buffer for rows (width,) float32."""
        self.capacity, self.width = capacity, width
        self._rows = np.zeros((4 * capacity, width), np.float32)
        self._start = self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    def push(self, rows: NDArray[np.float32]) -> None:
        """Append rows (n, width); the oldest rows beyond `capacity` are dropped."""
        rows = rows[-self.capacity :]
        if self._end + len(rows) > len(self._rows):
            newest = self.last(self.capacity - len(rows)).copy()
            self._rows[: len(newest)] = newest
            self._start, self._end = 0, len(newest)
        self._rows[self._end : self._end + len(rows)] = rows
        self._end += len(rows)
        self._start = max(self._start, self._end - self.capacity)

    def last(self, count: int) -> NDArray[np.float32]:
        """A view (<= count, width) of the newest rows, valid until the next push."""
        return self._rows[max(self._start, self._end - count) : self._end]

    def clear(self) -> None:
        """Drop all rows."""
        self._start = self._end = 0
