"""Calibrations on disk: a threshold for each device, and how often it has raised an alarm since."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..core.card import Card
from ..core.detector import DetectorConfig
from ..core.noise_detector import NoiseDetector
from ..errors import OutputError, UsageError
from ..inputs.source import Source
from ..system.files import atomic_write, remove_abandoned
from ..system.locks import locked
from ..system.paths import exists, read_regular_file, user_folder
from ..system.validation import validated
from .false_alarms import poisson_interval, rate_in_words

Notify = Callable[[str], None]

MOST_BYTES = 1 << 20  # of the file: a calibration takes a few hundred


@dataclass(frozen=True)
class Calibration:
    """The threshold of a device, and what `listen` has counted with it."""

    device: str
    model: str
    hop_s: float
    threshold: float
    budget_per_hour: float  # false alarms
    made: str  # date
    recorded_s: float  # of the recording that the threshold was chosen on
    heard_s: float = 0.0  # by `listen` since then
    alarms: int = 0  # noises reported since then, including real ones

    @property
    def key(self) -> tuple[str, float, float, str, float]:
        """Distinguishes this calibration from a later one of the same device."""
        return self.model, self.threshold, self.budget_per_hour, self.made, self.recorded_s

    @property
    def rate(self) -> tuple[float, float, float] | None:
        """Alarms per hour since then, with the exact 95 % interval; None until `listen` has heard something."""
        if self.heard_s <= 0:
            return None
        hours = self.heard_s / 3600
        low, high = poisson_interval(self.alarms)
        return self.alarms / hours, low / hours, high / hours

    @property
    def provisional(self) -> bool:
        """Whether too little has been heard to show that the budget is met."""
        return self.rate is None or self.rate[2] > self.budget_per_hour

    def sentence(self) -> str:
        """The rate so far, against the budget."""
        budget = f"budget {self.budget_per_hour:g} an hour"
        if self.rate is None:
            return f"provisional until `noisewatch listen` has heard more ({budget})"
        state = "provisional" if self.provisional else "met"
        counted = rate_in_words(self.alarms, self.heard_s, "noise reported")
        return f"{counted} ({budget}: {state}; real noises count too)"

    def after(self, heard_s: float, alarms: int) -> Calibration:
        """The same with another session counted."""
        return replace(self, heard_s=self.heard_s + heard_s, alarms=self.alarms + alarms)


def file_path() -> Path | None:
    """The file that holds the calibrations; None for a user without a home folder."""
    folder = user_folder("state")
    return None if folder is None else folder / "calibrations.json"


def of_source(source: Source, detector: NoiseDetector, hop_s: float | None, notify: Notify) -> Calibration | None:
    """The calibration of a microphone, if it was made with this model and hop (s; None: the model's)."""
    return of_device(source.name, detector.model.card, hop_s, notify) if source.live else None


def of_device(device: str, card: Card, hop_s: float | None, notify: Notify) -> Calibration | None:
    """The calibration of the device with this name, if it was made with this model and hop.

    The hop does not matter for a streaming model, which decides at every step whatever the hop.
    """
    found = stored(notify).get(device)
    if found is None or found.model != card.name:
        return None
    return found if card.step or found.hop_s == (hop_s or card.hop_s) else None


def store(calibration: Calibration, notify: Notify) -> None:
    """Store a calibration under its device. Raises OutputError."""
    with changed(notify) as known:
        known[calibration.device] = calibration


def forget(device: str | None, notify: Notify, name_of: Callable[[str], str]) -> str:
    """Delete the calibration of a device and return the device's name.

    device: an index, which `name_of` turns into a name; a name or a unique part of one; None for the only one.
    Raises UsageError if none or several match, and OutputError.
    """
    known = stored(notify)
    if device is None or device in known:
        matching = [name for name in known if device in (None, name)]
    elif re.fullmatch(r"-?\d+", device):
        matching = [name for name in known if name == name_of(device)]
    else:
        matching = [name for name in known if device.lower() in name.lower()]
    if not matching:
        raise UsageError(f"there is no calibration to forget. Calibrated: {', '.join(known) or 'none'}.")
    if len(matching) > 1:
        which = "several devices are calibrated" if device is None else f"{device!r} is part of several names"
        raise UsageError(f"{which}; give one of them to --device: {', '.join(matching)}.")
    with changed(notify) as known:
        known.pop(matching[0], None)
    return matching[0]


def stored(notify: Notify) -> dict[str, Calibration]:
    """All calibrations, by device.

    notify: called with a sentence if the file cannot be read, or is damaged and was renamed to FILE.damaged.
    """
    path = file_path()
    if path is None:
        return {}
    remove_abandoned(path.parent)
    try:
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if exists(path):
            notify(f"the calibrations in {path} cannot be read ({error.strerror}); continuing without them.")
        return {}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        aside, how = path.with_name(f"{path.name}.damaged"), "set aside as"
        try:
            path.replace(aside)
        except OSError:
            how = "and could not be set aside as"
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        notify(f"the calibrations in {path} are damaged ({why}), {how} {aside.name}; continuing without them.")
        return {}


def _read(path: Path) -> dict[str, Calibration]:
    names = [f.name for f in fields(Calibration)]
    found = {}
    for device, given in json.loads(read_regular_file(path, MOST_BYTES)).items():
        ours = {name: given[name] for name in names if name in given}  # a later version may store more
        found[device] = Calibration(**validated(Calibration, ours))
        DetectorConfig(found[device].threshold)
        for name in ("hop_s", "budget_per_hour", "recorded_s", "heard_s", "alarms"):
            if getattr(found[device], name) < 0:
                raise ValueError(f"{name} is {getattr(found[device], name)}")
    return found


@contextlib.contextmanager
def changed(notify: Notify) -> Iterator[dict[str, Calibration]]:
    """The calibrations, for changes in place that are written when the block ends. Other processes wait.

    Raises OutputError if they cannot be written.
    """
    path = file_path()
    if path is None:
        raise OutputError("this user has no home folder for calibrations. Set HOME or XDG_STATE_HOME.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            with contextlib.suppress(FileNotFoundError):
                read_regular_file(path, MOST_BYTES)  # raises if unreadable, so that it is not overwritten
            known = stored(notify)
            yield known
            with atomic_write(path) as file:
                json.dump({name: asdict(c) for name, c in known.items()}, file, indent=1)
    except OSError as error:
        raise OutputError(f"cannot store a calibration in {path}: {error.strerror or error}.") from error
