"""Counts alarms, and estimates their hourly rate from the count."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..core.detector import Detector, DetectorConfig
from ..core.events import Event, Reading
from ..ui.wording import duration

EXACT = 100  # count above which an interval is approximated
_Z = 1.959963984540054  # normal deviate of 97.5 %


def alarms(recordings: Sequence[Sequence[Reading]], threshold: float, hop_s: float) -> int:
    """How many noises the detector reports in readings at a threshold."""
    events = [e for readings in recordings for e in events_at(readings, threshold, hop_s)]
    return sum(e.event == "noise_start" for e in events)


def events_at(
    readings: Sequence[Reading], threshold: float, hop_s: float, end_s: float | None = None
) -> list[Event]:
    """The events of a detector with this threshold; end_s: the stream ends there, and open noises with it."""
    detector = Detector(DetectorConfig(threshold), hop_s=hop_s)
    events = [e for r in readings for e in detector.update(r.time, r.noise, r.reason, now=r.now)[1]]
    return events if end_s is None else events + detector.finish(end_s)


def poisson_interval(count: int) -> tuple[float, float]:
    """95 % confidence interval of a Poisson mean (Garwood 1936): exact; above a count of 100 within 0.003 %."""
    if count > EXACT:
        return _chi_square(2 * count, -_Z) / 2, _chi_square(2 * count + 2, _Z) / 2

    def below(mean: float, k: int) -> float:  # P(N <= k)
        return sum(math.exp(-mean + i * math.log(mean) - math.lgamma(i + 1)) for i in range(k + 1))

    def solve(k: int, target: float) -> float:
        low, high = 1e-9, 10.0 * (k + 5)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle, k) > target else (low, middle)
        return low

    return (solve(count - 1, 0.975) if count else 0.0), solve(count, 0.025)


def _chi_square(freedom: int, z: float) -> float:
    """Quantile of the chi-square distribution at a normal deviate (Wilson & Hilferty 1931)."""
    return float(freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3)


def rate_in_words(count: int, seconds: float, what: str = "alarm") -> str:
    """A count as an hourly rate with its interval: "no alarm, at most 8 an hour, from 28 min 10 s"."""
    low, high = (3600 / seconds * bound for bound in poisson_interval(count))
    noun, *rest = what.split(" ")
    counted = " ".join([f"{count or 'no'} {noun}{'' if count < 2 else 's'}", *rest])
    bounds = f"at most {_rounded(high)}" if not count else f"{_rounded(low)} to {_rounded(high)}"
    return f"{counted}, {bounds} an hour, from {duration(seconds)}"


def _rounded(rate: float) -> str:
    return f"{rate:.2g}" if rate < 10 else f"{rate:.0f}"
