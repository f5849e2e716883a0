"""A threshold for one room and microphone, and how often it has raised an alarm since."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import levels
from ..audio.highpass import HighPass
from ..audio.signal import LOUDEST, SAMPLE_RATE, WINDOW
from ..core.card import Card
from ..core.detector import Detector, DetectorConfig
from ..core.events import Event, Reading
from ..core.noise_detector import NoiseDetector
from ..errors import InputError, OutputError
from ..system.files import atomic_write, remove_abandoned
from ..system.locks import locked
from ..system.paths import exists, read_regular_file, user_folder
from ..system.validation import validated
from ..ui.wording import duration

HIGHEST = 0.99
LEAST_S = 15.0  # of readings, below which a recording says nothing about a rate
COST_SNR_DB = 20.0  # the faintest noise that counts as noise
COST_WINDOWS = 60  # of the recording, spread over it, that the cost of a threshold is measured on
MOST_BYTES = 1 << 20  # of the file: a calibration takes some hundred
EXACT = 100  # alarms above which an interval is approximated
_Z = 1.959963984540054  # normal deviate of 97.5 %
SLOPES = (0.0, -0.5, -1.0)  # of amplitude spectra: white, pink and brown noise


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
        state = "provisional" if self.provisional else "kept"
        called = rate_in_words(self.alarms, self.heard_s, "noise called")
        return f"{called} ({budget}: {state}; real noises count, too)"

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


@dataclass(frozen=True)
class Room:
    """A recording of the room as it should be: its readings, and the first minutes of its samples."""

    readings: list[Reading]
    samples: NDArray[np.float32]  # (n,) at 16 kHz

    def spoken(self) -> list[NDArray[np.float32]]:
        """Windows (48000,) in which someone speaks, 1 s apart or more."""
        windows, last = [], -1.0
        for reading in self.readings:
            end = round(reading.time * SAMPLE_RATE)
            if reading.spoken and reading.time >= last + 1 and WINDOW <= end <= len(self.samples):
                windows.append(self.samples[end - WINDOW : end])
                last = reading.time
        return windows


def choose(
    recordings: Sequence[Sequence[Reading]], budget_per_hour: float, hop_s: float, own: float
) -> float | None:
    """The lowest threshold that keeps false alarms within a budget; None when none does.

    Every reading is taken to be of the room as it should be, so whatever is called in it is a false alarm. own: the
    model's threshold, chosen on far more voices than a recording of one room holds. A lower one, down to the
    detector's off threshold, needs proof: the upper end of the 95 % interval of its rate keeps the budget. A higher
    one needs a reason: more alarms at the model's own than the budget allows in that time.
    Raises InputError for less than 15 s that could be judged.
    """
    judged = [sum(r.noise is not None for r in readings) * hop_s for readings in recordings]
    seconds, config = sum(judged), DetectorConfig(own)
    if seconds < LEAST_S:
        raise InputError(
            f"{seconds:.1f} s could be judged, where 3 s of each recording fill the first window; a threshold "
            f"needs {LEAST_S:.0f} s or more. Record for longer."
        )
    if max(judged) < config.min_on_s - 1e-6:
        raise InputError("no recording is long enough for a noise to be called. Give longer ones.")
    allowed = budget_per_hour * seconds / 3600
    between = [percent / 100 for percent in range(1, 100) if config.off < percent / 100 < HIGHEST]
    for threshold in sorted({config.off, own, *between, HIGHEST}):
        found = alarms(recordings, threshold, hop_s)
        if (found if threshold >= own else poisson_interval(found)[1]) <= allowed:
            return threshold
    return None


def poisson_interval(count: int) -> tuple[float, float]:
    """95 % interval of the mean of which `count` were seen (Garwood 1936): exact, above 100 within 0.003 %."""
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
    """The quantile of the chi-square distribution at a normal deviate (Wilson & Hilferty 1931)."""
    return float(freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3)


def rate_in_words(count: int, seconds: float, what: str = "alarm") -> str:
    """What so many alarms in so many seconds say of an hour: "no alarm, at most 8 an hour, from 28 min 10 s"."""
    low, high = (3600 / seconds * bound for bound in poisson_interval(count))
    noun, *rest = what.split(" ")
    counted = " ".join([f"{count or 'no'} {noun}{'' if count < 2 else 's'}", *rest])
    bounds = f"at most {_rounded(high)}" if not count else f"{_rounded(low)} to {_rounded(high)}"
    return f"{counted}, {bounds} an hour, from {duration(seconds)}"


def _rounded(rate: float) -> str:
    return f"{rate:.2g}" if rate < 10 else f"{rate:.0f}"


def hit_rates(
    detector: NoiseDetector, recordings: Sequence[Room], thresholds: Sequence[float]
) -> list[float] | None:
    """The share of windows called at each threshold once steady noise lies 20 dB below the voice; None without one.

    Where someone spoke in the last 3 s, generated noise of several colours is added to them, and the same engine
    judges the window.
    """
    rng = np.random.default_rng(0)
    windows = [window for room in recordings for window in room.spoken()]
    chosen = windows[:: max(1, len(windows) // COST_WINDOWS)]
    called = np.zeros(len(thresholds))
    for window in chosen:
        level = levels.active_rms(HighPass().feed(window)) * 10 ** (-COST_SNR_DB / 20)
        for slope in SLOPES:
            mixed = (window + level * _coloured(rng, slope)).astype(np.float32)
            (reading,) = detector.stream().push(np.clip(mixed, -LOUDEST, LOUDEST))
            called += [reading.noise is not None and reading.noise >= t for t in thresholds]
    return [float(share) for share in called / (len(chosen) * len(SLOPES))] if chosen else None


def _coloured(rng: np.random.Generator, slope: float) -> NDArray[np.float64]:
    """A window of Gaussian noise (48000,) of unit RMS, amplitude spectrum (f + 50 Hz) ** slope."""
    spectrum = np.fft.rfft(rng.standard_normal(WINDOW)) * (np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE) + 50) ** slope
    noise = np.fft.irfft(spectrum, WINDOW)
    return np.asarray(noise / noise.std())


def share_in_words(share: float) -> str:
    """A share of windows as people say it: "about 1 window of 6"."""
    plain = (Fraction(n, of) for of in (1, 2, 3, 4, 5, 6, 8, 10) for n in range(of + 1))
    near = min(plain, key=lambda fraction: abs(float(fraction) - share))
    if near in (0, 1):
        all_of = "every window" if near else "no window"
        return all_of if share in (0, 1) else f"almost {all_of}"
    return f"about {near.numerator} window{'' if near.numerator == 1 else 's'} of {near.denominator}"


def place() -> Path | None:
    """The file that calibrations are kept in; None for a user without a home folder."""
    folder = user_folder("state")
    return None if folder is None else folder / "calibrations.json"


def fitting(device: str, card: Card, hop_s: float | None, say: Callable[[str], None]) -> Calibration | None:
    """What is kept for a device, if made with this model and hop (None: the model's); say: as for `stored`."""
    kept = stored(say).get(device)
    return kept if kept and (kept.model, kept.hop_s) == (card.name, hop_s or card.hop_s) else None


def stored(say: Callable[[str], None]) -> dict[str, Calibration]:
    """All calibrations, by device.

    say: is told of a file that is damaged, which is set aside as FILE.damaged, and of one that cannot be read.
    """
    path = place()
    if path is None:
        return {}
    remove_abandoned(path.parent)
    try:
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if exists(path):
            say(f"the calibrations in {path} cannot be read ({error.strerror}); going on without.")
        return {}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        aside, how = path.with_name(f"{path.name}.damaged"), "set aside as"
        try:
            path.replace(aside)
        except OSError:
            how = "and could not be set aside as"
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        say(f"the calibrations in {path} are damaged ({why}), {how} {aside.name}; going on without.")
        return {}


def _read(path: Path) -> dict[str, Calibration]:
    names = [f.name for f in fields(Calibration)]
    found = {}
    for device, given in json.loads(read_regular_file(path, MOST_BYTES)).items():
        ours = {name: given[name] for name in names if name in given}  # a later version may keep more
        found[device] = Calibration(**validated(Calibration, ours))
        DetectorConfig(found[device].threshold)
        for name in ("hop_s", "budget_per_hour", "recorded_s", "heard_s", "alarms"):
            if getattr(found[device], name) < 0:
                raise ValueError(f"{name} is {getattr(found[device], name)}")
    return found


@contextlib.contextmanager
def changed(say: Callable[[str], None]) -> Iterator[dict[str, Calibration]]:
    """The calibrations, to be changed in place and kept when the block ends; other processes wait meanwhile.

    Raises OutputError where they cannot be kept.
    """
    path = place()
    if path is None:
        raise OutputError("this user has no home folder to keep a calibration in. Set HOME or XDG_STATE_HOME.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            with contextlib.suppress(FileNotFoundError):
                read_regular_file(path, MOST_BYTES)  # what cannot be read is not written over
            known = stored(say)
            yield known
            with atomic_write(path) as file:
                json.dump({name: asdict(c) for name, c in known.items()}, file, indent=1)
    except OSError as error:
        raise OutputError(f"cannot keep a calibration in {path}: {error.strerror or error}.") from error


def today() -> str:
    """The date of now, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
