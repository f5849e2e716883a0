"""Trials on disk: the reports of their thirds, and tables of one trial or of several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..corpus.thirds import THIRDS
from ..errors import InputError
from .pooling import AUC, Pooled, Share, of_scorer, pooled, pooled_streams, read_streams
from .stream_figures import AlarmRate, Detections, StreamFigures
from .tables import figure, table

SETTINGS = "trial.json"
STEPS, REPORT, STREAMS = "steps.json", "report", "streams.json"  # of each third; the streams at every threshold
WORST = 5  # sources with most alarms in a cell
NOT_READ = "alarms, not read"
PROMPT = 0.8  # share of noises at 20 dB called within 3 s, at which trials are compared


@dataclass(frozen=True)
class Trial:
    """A trial as far as it is done."""

    name: str
    settings: dict[str, Any]  # what must not change while it runs
    turns: dict[int, Pooled]  # by third
    streams: dict[int, list[StreamFigures]]  # at each threshold, by third
    steps: dict[int, dict[str, Any]]  # how long each step took, by third

    @property
    def pooled(self) -> Pooled:
        """The figures of all finished thirds as one."""
        return pooled(list(self.turns.values()))

    @property
    def operating_points(self) -> list[StreamFigures]:
        """The streams of all finished thirds at each threshold, the lowest first."""
        found = sorted({figures.threshold for mine in self.streams.values() for figures in mine})
        at = [[f for mine in self.streams.values() for f in mine if f.threshold == t] for t in found]
        return [pooled_streams(parts) for parts in at if len(parts) == len(self.streams)]

    def json(self) -> dict[str, Any]:
        """The trial for json.dump."""
        return {
            "trial": self.name,
            "settings": self.settings,
            "steps": self.steps,
            "turns": {third: turn.json() for third, turn in self.turns.items()},
            "pooled": self.pooled.json(),
            "operating_points": [asdict(figures) for figures in self.operating_points],
        }


def read_trial(folder: Path) -> Trial:
    """The finished thirds of a trial. Raises InputError if there are none, or if a file is damaged."""
    turns, streams, steps = {}, {}, {}
    settings = read_json(folder / SETTINGS)
    for third in THIRDS:
        path = folder / str(third)
        if is_evaluated(path):
            try:
                turns[third] = of_scorer(next(iter(read_json(path / f"{REPORT}.json")["scorers"].values())))
                streams[third] = [read_streams(found) for found in read_json(path / STREAMS)["thresholds"]]
            except (KeyError, TypeError, StopIteration) as error:
                raise InputError(
                    f"{path / REPORT}.json is not of this version ({error}). Delete it, and run the trial again."
                ) from error
            steps[third] = read_json(path / STEPS)
    if not turns:
        raise InputError(
            f"{folder} has no finished third yet. `python tools/take_turns.py DATA -o {folder}` goes on."
        )
    return Trial(folder.name, settings, turns, streams, steps)


def is_evaluated(third: Path) -> bool:
    """Whether the folder of a third has its figures."""
    return (third / f"{REPORT}.json").exists() and (third / STREAMS).exists()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises InputError."""
    try:
        read = json.loads(path.read_text())
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}. A trial is a folder that tools/take_turns.py has written."
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}. Delete it, and run the trial again.") from error
    if not isinstance(read, dict):
        raise InputError(f"{path} is damaged: it holds no JSON object. Delete it, and run the trial again.")
    return read


def of_trial(trial: Trial) -> str:
    """A trial as a table with a column for each third and one for all of them."""
    columns = {f"third {third}": turn for third, turn in trial.turns.items()} | {"pooled": trial.pooled}
    cells = [_cells(each) | _details(each) for each in columns.values()]
    rows = [[name, *(mine.get(name, "-") for mine in cells)] for name in cells[-1]]
    lines = [f"# Trial {trial.name}", "", *(f"{note}\n" for note in notes(trial)), *table(["", *columns], rows)]
    lines += [
        "",
        "Counts are summed, delays joined, AUC and SNR errors averaged over the thirds. In brackets: the 95 % "
        "interval of an hourly rate, or the share. Delays are medians that count missed noises as never called.",
        "",
        *table(["threshold", *_point(trial.pooled.streams)], [
            [f"{point.threshold:g}", *_point(point).values()] for point in trial.operating_points
        ]),
        "",
    ]  # fmt: skip
    for third, steps in trial.steps.items():
        took = [f"{name} {step['seconds'] / 60:.1f} min" for name, step in steps.items()]
        speed = steps.get("train", {}).get("windows_per_s")
        lines.append(f"- third {third}: {', '.join(took)}" + (f"; {speed:.0f} windows/s" if speed else ""))
    return "\n".join(lines) + "\n"


def compared(trials: Sequence[Trial]) -> str:
    """Several trials as a table with a row for each, and the same at equal hits."""
    columns = {name: None for trial in trials for name in _cells(trial.pooled)}
    rows = [[trial.name, *(_cells(trial.pooled).get(name, "-") for name in columns)] for trial in trials]
    equal = [(trial, _at_equal_hits(trial)) for trial in trials]
    points = [
        [trial.name, f"{point.threshold:g}", *_point(point).values()] if point else [trial.name, *["-"] * 6]
        for trial, point in equal
    ]
    lines = [
        *table(["trial", *columns], rows),
        "",
        f"At the highest threshold at which {PROMPT:.0%} of the noises at 20 dB are called within 3 s:",
        "",
        *table(["trial", "threshold", *_point(trials[0].pooled.streams)], points),
        "",
        *(f"- {trial.name}: {line}" for trial in trials for line in notes(trial)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _at_equal_hits(trial: Trial) -> StreamFigures | None:
    """The operating point with the highest threshold that still calls most noises at 20 dB in time."""
    points = []
    for point in trial.operating_points:
        found = _at_20_db(point)  # a stream that was called noisy before is no hit
        if found is not None and 0 < PROMPT * found.noises <= found.prompt:
            points.append(point)
    return points[-1] if points else None


def notes(trial: Trial) -> list[str]:
    """What a reader has to know about a trial before its figures."""
    lines = []
    if trial.settings.get("model"):
        lines.append(f"{trial.settings['model']} may have learned from these sources: its figures may be too good.")
    if missing := [str(third) for third in THIRDS if third not in trial.turns]:
        lines.append(f"Not finished: third {' and '.join(missing)}.")
    return lines


def _cells(f: Pooled) -> dict[str, str]:
    """The main figures by label."""
    s = f.streams
    cells = {f"AUC {name}": figure(f.auc[name]) for name in AUC}
    cells |= {f"alarms, {style}": _rate(alarms.all) for style, alarms in s.alarms.items()}
    cells[NOT_READ] = _rate(s.not_read)
    sources = [(rate.alarms, source) for alarms in s.alarms.values() for source, rate in alarms.sources.items()]
    worst = sorted((found for found in sources if found[0]), key=lambda found: (-found[0], found[1]))[:WORST]
    cells["most alarms"] = ", ".join(f"{source} {count}" for count, source in worst) or "-"
    cells["1-4 s missed"] = _missed(s.short_noises)
    cells["5 s at 20 dB within 3 s"] = _share(_prompt(s))
    for snr_db, found in s.second_voice.items():
        cells[f"second voice at {snr_db}"] = _delay(found)
    cells["SNR MAE, dB"] = figure(f.snr_mae_db, ".2f")
    cells["SNR Spearman"] = figure(f.snr_spearman)
    cells["SNR < 15 dB, clean"] = _share(f.low_snr_clean)
    cells["SNR > 28 dB, noisy"] = _share(f.high_snr_noisy)
    return cells


def _details(f: Pooled) -> dict[str, str]:
    """Further figures for the table of one trial."""
    s = f.streams
    cells = {
        f"alarms, {style} without {alarms.dominant}": _rate(alarms.others)
        for style, alarms in s.alarms.items()
        if alarms.others is not None
    }
    cells |= {
        f"alarms, {style}, floor under 40 dB": _rate(found.all) for style, found in s.alarms_under_40_db.items()
    }
    cells |= {f"5 s at {snr_db}: delay": _delay(found) for snr_db, found in s.delays.get("all", {}).items()}
    return cells | {f"1-4 s missed, {sound}": _missed(found) for sound, found in s.short_noises_by_sound.items()}


def _point(s: StreamFigures) -> dict[str, str]:
    """What depends on the threshold."""
    read = s.alarms.get("read")
    return {
        "alarms, read": "-" if read is None else _rate(read.all),
        NOT_READ: _rate(s.not_read),
        "1-4 s missed": _missed(s.short_noises),
        "5 s at 20 dB within 3 s": _share(_prompt(s)),
        "second voice at 5 dB": _delay(s.second_voice["5 dB"]) if "5 dB" in s.second_voice else "-",
    }


def _at_20_db(s: StreamFigures) -> Detections | None:
    return s.delays.get("all", {}).get("20 dB")


def _prompt(s: StreamFigures) -> Share:
    found = _at_20_db(s)
    return Share(0, 0) if found is None else Share(found.prompt, found.begun_clean)


def _rate(rate: AlarmRate) -> str:
    if not rate.judged_seconds:
        return "-"
    hourly, low, high = (figure(value, ".0f") for value in rate.per_hour)
    return f"{rate.alarms} in {rate.judged_seconds / 60:.1f} min: {hourly}/h ({low}-{high})"


def _missed(found: Detections) -> str:
    return _share(Share(found.missed, found.begun_clean))


def _delay(found: Detections) -> str:
    median = found.start_median_of_all_s
    if not found.begun_clean:
        return "-"
    delay = "never" if median is None else f"{median:.1f} s"
    return f"{delay}, {found.missed} of {found.begun_clean} missed"


def _share(share: Share) -> str:
    return f"{share.part} of {share.whole} ({share.part / share.whole:.1%})" if share.whole else "-"
