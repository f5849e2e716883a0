"""A figure and its 95 % interval."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..tasks.false_alarms import poisson_interval
from .statistics import wilson_interval


class Estimate(NamedTuple):
    """A figure and its 95 % interval. None if there is nothing to compute it from."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, low: float, high: float) -> Estimate:
        """From floats. NaN becomes None, because JSON has no NaN."""
        return cls(*(None if math.isnan(x) else float(x) for x in (value, low, high)))

    @classmethod
    def share(cls, count: int, of: int) -> Estimate:
        """A proportion with its Wilson interval."""
        return cls(count / of, *wilson_interval(count, of)) if of else cls(None, None, None)

    @classmethod
    def hourly(cls, count: int, seconds: float) -> Estimate:
        """Events per hour with their Poisson interval."""
        if seconds <= 0:
            return cls(None, None, None)
        low, high = poisson_interval(count)
        return cls(*(3600 * x / seconds for x in (count, low, high)))
