"""A threshold for one room and microphone, and how often it has raised an alarm since."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .detector import Detector, DetectorConfig
from .errors import InputError
from .events import Event, Reading
from .sinks import atomic_write

HIGHEST = 0.99
BLOCK_S = 5.0  # of which the highest sustained probability is taken
ENOUGH = 3.0  # alarms that a budget would allow in a recording, from which on they can simply be counted
_EULER = 0.5772156649


@dataclass(frozen=True)
class Calibration:
    """What is kept for a device."""

    device: str
    model: str
    hop_s: float
    threshold: float
    budget_per_hour: float  # false alarms
    made: str  # date
    recorded_s: float  # that the threshold was chosen on
    heard_s: float = 0.0  # by `listen` since then
    alarms: int = 0  # noises that it called meanwhile, real ones included

    @property
    def key(self) -> tuple[str, float, float, str, float]:
        """What tells it from the calibration of another day."""
        return self.model, self.threshold, self.budget_per_hour, self.made, self.recorded_s

    @property
    def rate(self) -> tuple[float, float, float] | None:
        """Alarms an hour since then, and its exact 95 % interval; None before any hearing."""
        if self.heard_s <= 0:
            return None
        hours = self.heard_s / 3600
        low, high = poisson_interval(self.alarms)
        return self.alarms / hours, low / hours, high / hours

    @property
    def provisional(self) -> bool:
        """Whether what was heard cannot show yet that the budget is kept."""
        return self.rate is None or self.rate[2] > self.budget_per_hour

    def sentence(self) -> str:
        """What is known about the rate."""
        budget = f"budget {self.budget_per_hour:g} an hour"
        if self.rate is None:
            return f"provisional until `noisewatch listen` has heard more ({budget})"
        rate, low, high = self.rate
        heard = f"{self.alarms} noise{'' if self.alarms == 1 else 's'} called in {self.heard_s / 3600:.1f} h"
        state = "provisional" if self.provisional else "kept"
        return f"{heard}, {rate:.1f} an hour ({low:.1f} to {high:.1f}; {budget}: {state}; real noises count, too)"

    def after(self, heard_s: float, alarms: int) -> Calibration:
        """With another session added."""
        return replace(self, heard_s=self.heard_s + heard_s, alarms=self.alarms + alarms)


def alarms(recordings: Sequence[Sequence[Reading]], threshold: float, hop_s: float) -> int:
    """How many noises the detector would call in readings, at a threshold."""
    events = [e for readings in recordings for e in called(readings, threshold, hop_s)]
    return sum(e.event == "noise_start" for e in events)


def called(readings: Sequence[Reading], threshold: float, hop_s: float, end_s: float | None = None) -> list[Event]:
    """The events that the detector makes of readings at a threshold; with end_s, in a stream that ends there."""
    detector = Detector(DetectorConfig(threshold), hop_s=hop_s)
    events = [e for r in readings for e in detector.update(r.time, r.noise, r.reason)[1]]
    return events if end_s is None else events + detector.finish(end_s)


def choose(
    recordings: Sequence[Sequence[Reading]], budget_per_hour: float, hop_s: float, least: float
) -> float | None:
    """The lowest threshold from `least` on that keeps false alarms within a budget; None when none does.

    Every reading is taken to be of the room as it should be. Where the recordings are long enough for the
    budget, alarms are counted; otherwise their rate is extrapolated from the highest sustained probability of
    each 5 s by a Gumbel distribution fitted to them (Gumbel 1958), and none may be in them: with the highest
    threshold that is the most that minutes can show.
    Raises InputError for less than 15 s that could be judged.
    """
    judged = [[r for r in readings if r.noise is not None] for readings in recordings]
    seconds = sum(map(len, judged)) * hop_s
    if seconds < 3 * BLOCK_S:
        raise InputError(
            f"{seconds:.1f} s could be judged, where 3 s of each recording fill the first window; a threshold "
            f"needs {3 * BLOCK_S:.0f} s or more. Record for longer."
        )
    allowed = budget_per_hour * seconds / 3600
    peaks = _peaks(judged, hop_s)
    if not peaks:
        raise InputError("no recording is long enough for a noise to be called. Give longer ones.")
    mean = sum(peaks) / len(peaks)
    spread = math.sqrt(sum((p - mean) ** 2 for p in peaks) / max(1, len(peaks) - 1))
    scale = max(spread * math.sqrt(6) / math.pi, 0.1)
    place = mean - _EULER * scale

    def expected(threshold: float) -> float:  # alarms an hour
        logit = math.log(threshold / (1 - threshold))
        return -math.expm1(-math.exp(-(logit - place) / scale)) * 3600 / BLOCK_S

    for percent in range(round(least * 100), round(HIGHEST * 100) + 1):
        threshold = max(least, percent / 100)
        if alarms(recordings, threshold, hop_s) > allowed:
            continue
        if allowed >= ENOUGH or expected(threshold) <= budget_per_hour or threshold >= HIGHEST:
            return threshold
    return None


def _peaks(judged: Sequence[Sequence[Reading]], hop_s: float) -> list[float]:
    """The highest logit of each 5 s that was held for as long as a noise has to be."""
    hold = max(1, math.ceil(DetectorConfig().min_on_s / hop_s - 1e-6))
    size = max(hold, round(BLOCK_S / hop_s))
    peaks = []
    for readings in judged:
        logits = [math.log(p / (1 - p)) for r in readings if (p := min(max(r.noise or 0.0, 1e-6), 1 - 1e-6))]
        held = [min(logits[i : i + hold]) for i in range(len(logits) - hold + 1)]
        peaks += [max(held[i : i + size]) for i in range(0, len(held), size)]
    return peaks


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of which `count` were seen (Garwood 1936), by bisection."""

    def below(mean: float, k: int) -> float:  # P(N <= k)
        return sum(math.exp(-mean + i * math.log(mean) - math.lgamma(i + 1)) for i in range(k + 1))

    def solve(k: int, target: float) -> float:
        low, high = 1e-9, 10.0 * (k + 5)
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle, k) > target else (low, middle)
        return low

    return (solve(count - 1, 0.975) if count else 0.0), solve(count, 0.025)


def place() -> Path:
    """The file that calibrations are kept in."""
    import platformdirs

    return platformdirs.user_state_path("noisewatch") / "calibrations.json"


def stored() -> dict[str, Calibration]:
    """All calibrations, by device. Raises InputError for a file that is damaged."""
    path = place()
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {name: Calibration(**fields) for name, fields in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"the calibrations in {path} cannot be read ({error}). Repair or delete it.") from error


def store(calibrations: dict[str, Calibration]) -> None:
    """Keep them. Raises OutputError."""
    with atomic_write(place()) as file:
        json.dump({name: asdict(c) for name, c in calibrations.items()}, file, indent=1)


def today() -> str:
    """The date of now, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
