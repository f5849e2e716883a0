"""Trials on disk: the reports of their thirds, and tables of one trial or of several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpus.thirds import THIRDS
from ..errors import InputError
from .pooling import AUC, Pooled, Share, of_scorer, pooled
from .stream_figures import AlarmRate, Detections
from .tables import figure, table

SETTINGS, STEPS, REPORT = "trial.json", "steps.json", "report"  # files of a trial, and of each of its thirds
WORST = 5  # sources with most alarms in a cell


@dataclass(frozen=True)
class Trial:
    """A trial as far as it is done."""

    name: str
    settings: dict[str, Any]  # what must not change while it runs
    turns: dict[int, Pooled]  # by third
    steps: dict[int, dict[str, Any]]  # how long each step took, by third

    @property
    def pooled(self) -> Pooled:
        """The figures of all finished thirds as one."""
        return pooled(list(self.turns.values()))

    def json(self) -> dict[str, Any]:
        """The trial for json.dump."""
        return {
            "trial": self.name,
            "settings": self.settings,
            "steps": self.steps,
            "turns": {third: turn.json() for third, turn in self.turns.items()},
            "pooled": self.pooled.json(),
        }


def read_trial(folder: Path) -> Trial:
    """The finished thirds of a trial. Raises InputError if there are none, or if a file is damaged."""
    turns, steps = {}, {}
    settings = read_json(folder / SETTINGS)
    for third in THIRDS:
        report = folder / str(third) / f"{REPORT}.json"
        if report.is_file():
            try:
                turns[third] = of_scorer(next(iter(read_json(report)["scorers"].values())))
            except (KeyError, TypeError, StopIteration) as error:
                raise InputError(
                    f"{report} is no report of this version ({error}). Delete it, and run the trial again."
                ) from error
            steps[third] = read_json(folder / str(third) / STEPS)
    if not turns:
        raise InputError(
            f"{folder} has no finished third yet. `python tools/take_turns.py DATA -o {folder}` goes on."
        )
    return Trial(folder.name, settings, turns, steps)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises InputError."""
    try:
        read = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}. Delete it, and run the trial again.") from error
    if not isinstance(read, dict):
        raise InputError(f"{path} is damaged: it holds no JSON object. Delete it, and run the trial again.")
    return read


def of_trial(trial: Trial) -> str:
    """A trial as a table with a column for each third and one for all of them."""
    columns = {f"third {third}": turn for third, turn in trial.turns.items()} | {"pooled": trial.pooled}
    cells = [_cells(each) | _details(each) for each in columns.values()]
    lines = [
        f"# Trial {trial.name}",
        "",
        *(f"{note}\n" for note in notes(trial)),
        *table(["", *columns], _rows(cells)),
    ]
    lines += [
        "",
        "Counts are summed, delays joined, AUC and SNR errors averaged over the thirds. In brackets: the 95 % "
        "interval of an hourly rate, or the share.",
        "",
    ]
    for third, steps in trial.steps.items():
        took = [f"{name} {step['seconds'] / 60:.1f} min" for name, step in steps.items()]
        speed = steps.get("train", {}).get("windows_per_s")
        lines.append(f"- third {third}: {', '.join(took)}" + (f"; {speed:.0f} windows/s" if speed else ""))
    return "\n".join(lines) + "\n"


def compared(trials: Sequence[Trial]) -> str:
    """Several trials as a table with a row for each."""
    columns = {name: None for trial in trials for name in _cells(trial.pooled)}
    rows = [[trial.name, *(_cells(trial.pooled).get(name, "-") for name in columns)] for trial in trials]
    lines = [f"- {trial.name}: {line}" for trial in trials for line in notes(trial)]
    return "\n".join([*table(["trial", *columns], rows), "", *lines]).rstrip() + "\n"


def notes(trial: Trial) -> list[str]:
    """What a reader has to know about a trial before its figures."""
    lines = []
    if trial.settings.get("model"):
        lines.append(f"{trial.settings['model']} has learned from these sources: its figures are too good.")
    if missing := [str(third) for third in THIRDS if third not in trial.turns]:
        lines.append(f"Not finished: third {' and '.join(missing)}.")
    return lines


def _rows(columns: Sequence[dict[str, str]]) -> list[list[str]]:
    names = {name: None for cells in columns for name in cells}
    return [[name, *(cells.get(name, "-") for cells in columns)] for name in names]


def _cells(f: Pooled) -> dict[str, str]:
    """The main figures by label."""
    cells = {f"AUC {name}": figure(f.auc[name]) for name in AUC}
    cells |= {f"alarms, {style}": _rate(alarms.all) for style, alarms in f.alarms.items()}
    sources = [(rate.alarms, source) for alarms in f.alarms.values() for source, rate in alarms.sources.items()]
    worst = sorted((s for s in sources if s[0]), key=lambda s: (-s[0], s[1]))[:WORST]
    cells["most alarms"] = ", ".join(f"{source} {count}" for count, source in worst) or "-"
    cells["1-4 s missed"] = _missed(f.short_noises)
    late = f.delays.get("20 dB")
    cells["5 s at 20 dB within 3 s"] = "-" if late is None else _share(Share(late.prompt, _begun_clean(late)))
    for snr_db, found in f.second_voice.items():
        cells[f"second voice at {snr_db}"] = _delay(found)
    cells["SNR MAE, dB"] = figure(f.snr_mae_db, ".2f")
    cells["SNR Spearman"] = figure(f.snr_spearman)
    cells["SNR < 15 dB, clean"] = _share(f.low_snr_clean)
    cells["SNR > 28 dB, noisy"] = _share(f.high_snr_noisy)
    return cells


def _details(f: Pooled) -> dict[str, str]:
    """Further figures for the table of one trial."""
    cells = {
        f"alarms, {style} without {alarms.dominant}": _rate(alarms.others)
        for style, alarms in f.alarms.items()
        if alarms.others is not None
    }
    cells |= {f"5 s at {snr_db}: delay": _delay(found) for snr_db, found in f.delays.items()}
    return cells | {f"1-4 s missed, {sound}": _missed(found) for sound, found in f.short_noises_by_sound.items()}


def _rate(rate: AlarmRate) -> str:
    hourly, low, high = (figure(value, ".0f") for value in rate.per_hour)
    return f"{rate.alarms} in {rate.seconds / 60:.1f} min: {hourly}/h ({low}-{high})"


def _begun_clean(found: Detections) -> int:
    return found.noises - found.already_on


def _missed(found: Detections) -> str:
    return _share(Share(found.missed, _begun_clean(found)))


def _delay(found: Detections) -> str:
    return f"{figure(found.start_delay.median, '.1f')} s, {found.missed} of {_begun_clean(found)} missed"


def _share(share: Share) -> str:
    return f"{share.part} of {share.whole} ({share.part / share.whole:.1%})" if share.whole else "-"
