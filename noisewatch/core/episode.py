"""Statistics of one noise, from the reading that first shows it to the last."""

from __future__ import annotations

import math
from collections import Counter, deque
from copy import copy
from dataclasses import dataclass
from typing import TypedDict

from ..audio.signal import WINDOW_S
from .events import Kind

EPS_S = 1e-6  # tolerance: times are sums of hops


@dataclass(frozen=True)
class Evidence:
    """The numbers of one reading that could be judged."""

    time: float  # s of stream time
    noise: float  # probability, 0..1
    snr_db: float | None = None  # None without a voice
    level_dbfs: float | None = None
    kind: Kind | None = None


class Figures(TypedDict):
    """Fields of an event that describe the noise."""

    peak: float
    mean: float | None
    snr_db: float | None
    level_dbfs: float | None
    kind: Kind | None


class Episode:
    """Running statistics of one noise, in constant memory however long it lasts.

    Readings added as `tail` follow what may be its end. They count only if a later reading shows the noise again.
    """

    def __init__(self, onset: float = 0.0, first: Evidence | None = None) -> None:
        self.onset, self._peak = onset, 0.0
        self._noise, self._snr, self._power = _Mean(), _Mean(), _Mean()
        self._kinds: Counter[Kind] = Counter()
        self._levels: deque[Evidence] = deque()  # of the last window; some may lie after the end
        self._tail: list[Evidence] = []  # at most min_off_s of readings
        if first is not None:
            self.add(first)

    def add(self, reading: Evidence, *, tail: bool = False) -> None:
        """Add the next reading; tail: it no longer shows the noise."""
        self._levels.append(reading)
        while self._levels[0].time < reading.time - WINDOW_S - 1:
            old = self._levels.popleft()
            if old.level_dbfs is not None:
                self._power.add(10 ** (old.level_dbfs / 10))
        self._tail.append(reading)
        if tail:
            return
        for each in self._tail:
            self._peak = max(self._peak, each.noise)
            self._noise.add(each.noise)
            if each.snr_db is not None:
                self._snr.add(each.snr_db)
            if each.kind is not None:
                self._kinds[each.kind] += 1
        self._tail = []

    def figures(self, until: float = math.inf) -> Figures:
        """Peak and mean probability, mean SNR with a voice, mean level up to `until` (s), most frequent kind."""
        power = copy(self._power)
        for number, reading in enumerate(self._levels):
            if reading.level_dbfs is not None and (
                reading.time <= until + EPS_S or (number == 0 and power.value is None)
            ):
                power.add(10 ** (reading.level_dbfs / 10))
        level = 10 * math.log10(power.value) if power.value else None
        kind = self._kinds.most_common(1)[0][0] if self._kinds else None
        return {
            "peak": self._peak,
            "mean": self._noise.value,
            "snr_db": self._snr.value,
            "level_dbfs": level,
            "kind": kind,
        }


class _Mean:
    """A running mean."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._sum += value
        self._count += 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None
