"""The last N rows of anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ring:
    """Keeps the last `capacity` rows. Rows lie in one piece, so that reading them copies nothing."""

    def __init__(self, capacity: int, width: int) -> None:
        self.capacity = capacity
        self._rows = np.zeros((4 * capacity, width), np.float32)
        self._start = self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    def push(self, rows: NDArray[np.float32]) -> None:
        """Append rows (n, width); what falls off the front is forgotten."""
        rows = rows[-self.capacity :]
        if self._end + len(rows) > len(self._rows):
            kept = self.last(self.capacity - len(rows)).copy()
            self._rows[: len(kept)] = kept
            self._start, self._end = 0, len(kept)
        self._rows[self._end : self._end + len(rows)] = rows
        self._end += len(rows)
        self._start = max(self._start, self._end - self.capacity)

    def last(self, count: int) -> NDArray[np.float32]:
        """A view of the newest `count` rows, or of all there are: (<= count, width). Copy it to keep it."""
        return self._rows[max(self._start, self._end - count) : self._end]

    def clear(self) -> None:
        """Forget everything."""
        self._start = self._end = 0
