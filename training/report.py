"""The honest report: a split's windows and streams through the engine, with intervals, as JSON and Markdown."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

import noisewatch
from noisewatch.errors import OutputError, UsageError
from noisewatch.sinks import atomic_write

from .evaluate import Judgement, Scorer
from .manifest import SPLITS, load_audio, read_manifest
from .mixing import NOISY_DB, Catalogue
from .scores import balanced_accuracy, clustered, reliability, roc_auc, spearman
from .streamed import on_streams
from .testset import CONDITIONS, SNRS, Item, draw, render

MEAN_OF = tuple(s for s in SNRS if s <= NOISY_DB)  # the SNRs whose mean AUC is the figure to compare
CONDITION_WINDOWS = 300  # of each class for every condition
FEWEST = 20  # windows of a kind or source below which a figure says nothing

Numbers = NDArray[np.float64]


def report(catalogue: Catalogue, scorers: Sequence[Scorer], *, count: int, seed: int) -> dict[str, Any]:
    """Every figure of every scorer on the windows and streams of a catalogue, ready for json.dump."""
    items = draw(catalogue, count, seed)
    console = Console(stderr=True)
    judged: dict[str, list[Judgement]] = {s.name: [] for s in scorers}
    for item in track(items, "windows", console=console, transient=True):
        samples = render(item, catalogue, seed)
        for scorer in scorers:
            judged[scorer.name].append(scorer.judge(samples))
    table = _Windows(items, catalogue)
    result: dict[str, Any] = {
        "noisewatch": noisewatch.__version__,
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"onnxruntime {onnxruntime.__version__}",
        "seed": seed,
        "windows": len(items),
        "speakers": len(set(table.speaker[table.spoken].tolist())),
        "scorers": {},
    }
    noises = {name: _numbers([j.noise for j in js]) for name, js in judged.items()}
    for scorer in scorers:
        snr = _numbers([j.snr_db for j in judged[scorer.name]])
        result["scorers"][scorer.name] = _figures(table, noises[scorer.name], snr, scorer.threshold)
    for name, figures in _conditions(items, catalogue, scorers, seed, console).items():
        result["scorers"][name]["conditions"] = figures
    for scorer in scorers:
        if scorer.detector is not None:
            threshold = scorer.detector.model.card.threshold
            heard = on_streams(scorer.detector, catalogue, [seed], [threshold], console)
            result["scorers"][scorer.name]["streams"] = heard[threshold]
    first = scorers[0].name
    result["differences"] = {
        s.name: _paired(table, noises[first], noises[s.name]) for s in scorers[1:]
    }  # of the first scorer's mean AUC and this one's, on the same windows
    plain: dict[str, Any] = _plain(result)
    return plain


def report_on(manifest: Path, split: str, scorers: Sequence[Scorer], *, count: int, seed: int) -> dict[str, Any]:
    """The report on a split of a manifest. Raises InputError where it holds no clean speech or no noise."""
    if split not in SPLITS:
        raise UsageError(f"no split is called {split!r}; there are: {', '.join(SPLITS)}.")
    rows = read_manifest(manifest)
    catalogue, skipped = Catalogue.load(rows, split)
    if not catalogue.rooms and split == "test":  # rooms of validation, which no network was trained in either
        rooms = [r for r in rows if r.split == "val" and r.kind == "rir"]
        catalogue.rooms = [load_audio(r.path) for r in rooms]
    for sentence in skipped:
        Console(stderr=True, soft_wrap=True).print(f"left out: {sentence}", markup=False, highlight=False)
    return {"split": split, "left_out": len(skipped)} | report(catalogue, scorers, count=count, seed=seed)


def places(out: Path) -> tuple[Path, Path]:
    """Where the JSON and the Markdown of a report go; raises OutputError where nothing can be written."""
    if not out.name or out.is_dir():
        raise OutputError(f"{out} is a folder; -o takes the beginning of two names, such as reports/mine.")
    paths = out.with_name(f"{out.name}.json"), out.with_name(f"{out.name}.md")
    for path in paths:
        with atomic_write(path.with_name(f"{path.name}.try")) as file:
            file.write("")
        path.with_name(f"{path.name}.try").unlink()
    return paths


def write(result: dict[str, Any], out: Path) -> tuple[Path, Path]:
    """Write out.json and out.md; returns their paths."""
    paths = places(out)
    for path, text in zip(paths, (json.dumps(result, indent=1), markdown(result)), strict=True):
        with atomic_write(path) as file:
            file.write(text)
    return paths


def _plain(value: Any) -> Any:
    """JSON knows no NaN: null stands where a number would be a lie."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and np.isnan(value) else value


class _Windows:
    """What is known of the windows, as arrays (n,)."""

    def __init__(self, items: Sequence[Item], catalogue: Catalogue) -> None:
        voices = [None if i.voice is None else catalogue.speech[i.voice].row for i in items]
        noises = [None if i.noise is None else catalogue.noise[i.noise].row for i in items]
        self.situation = np.array([i.situation for i in items])
        self.noisy = np.array([i.noisy for i in items])
        self.snr = np.array([np.nan if i.snr_db is None else i.snr_db for i in items])
        self.spoken = np.array([v is not None for v in voices])
        self.voice_source = np.array([v.source if v else "" for v in voices])
        self.noise_source = np.array([n.source if n else "" for n in noises])
        # A group may read kind:recording.
        self.kind = np.array([n.group.split(":")[0] if n and ":" in n.group else "" for n in noises])
        alone = [f"noise {n.source}/{n.group}" if n else "quiet" for n in noises]
        self.speaker = np.array([f"{v.source}/{v.group}" if v else a for v, a in zip(voices, alone, strict=True)])
        self.mixed = self.situation == "speech"
        self.clean_speech = self.mixed & ~self.noisy
        self.scored = self.noisy & ~(self.snr > NOISY_DB)  # noisy by the definition

    def mean_auc(self, noise: Numbers, chosen: NDArray[np.int_]) -> float:
        """Mean AUC over 0 to 20 dB among the chosen windows."""
        clean = chosen[self.clean_speech[chosen]]
        at = [chosen[self.mixed[chosen] & (self.snr[chosen] == s)] for s in MEAN_OF]
        return float(np.mean([_auc(noise[clean], noise[noisy]) for noisy in at]))


def _numbers(values: Sequence[float | None]) -> Numbers:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _auc(clean: Numbers, noisy: Numbers) -> float:
    return roc_auc(clean[~np.isnan(clean)], noisy[~np.isnan(noisy)])


def _share(noise: Numbers, threshold: float) -> float:
    """Of the judged windows, how many are called noisy."""
    judged = noise[~np.isnan(noise)]
    return float((judged >= threshold).mean()) if len(judged) else float("nan")


def _figures(w: _Windows, noise: Numbers, snr: Numbers, threshold: float | None) -> dict[str, Any]:
    everything = np.arange(len(noise))
    clean = noise[w.clean_speech]

    def at(value: float) -> list[float]:
        def figure(chosen: NDArray[np.int_]) -> float:
            here = w.mixed[chosen]
            noisy = here & (w.snr[chosen] == value)
            return _auc(noise[chosen[here & ~w.noisy[chosen]]], noise[chosen[noisy]])

        return [figure(everything), *clustered(figure, w.speaker, of=w.mixed)]

    figures: dict[str, Any] = {
        "unjudged": int(np.isnan(noise).sum()),
        "auc": {f"{value:g} dB": at(value) for value in SNRS},
    }
    figures["auc"]["0-20 dB"] = [
        w.mean_auc(noise, everything),
        *clustered(lambda chosen: w.mean_auc(noise, chosen), w.speaker, of=w.mixed),
    ]
    live_clean = noise[~w.noisy]
    live = {s: w.scored & (w.situation == s) for s in ("noise alone", "speech", "dense speech", "gated noise")}
    figures["live"] = {s: _auc(live_clean, noise[mask]) for s, mask in live.items()}
    figures["live"]["all"] = _auc(live_clean, noise[w.scored])
    speech_noisy = w.mixed & w.scored
    figures["by_noise_kind"] = _by(w.kind, lambda mine: _auc(clean, noise[speech_noisy & mine]), speech_noisy)
    figures["by_noise_source"] = _by(
        w.noise_source, lambda mine: _auc(clean, noise[speech_noisy & mine]), speech_noisy
    )
    figures["by_voice_source"] = _by(
        w.voice_source,
        lambda mine: _auc(noise[w.clean_speech & mine], noise[speech_noisy & mine]),
        w.clean_speech,
    )
    known = ~np.isnan(noise)
    if threshold is not None:
        figures["threshold"] = threshold
        hit = {f"{v:g} dB": noise[w.mixed & (w.snr == v) & known] for v in SNRS}
        figures["balanced_accuracy"] = {
            k: balanced_accuracy(clean[~np.isnan(clean)], v, threshold) for k, v in hit.items()
        }
        figures["clean_called_noisy"] = {
            "speech": _share(clean, threshold),
            "all": _share(live_clean, threshold),
        }
        sure = known & (~w.noisy | w.scored)
        error, bins = reliability(noise[sure], w.scored[sure])
        figures["calibration"] = {"expected_error": error, "bins": bins}
    told = w.mixed & w.noisy & ~np.isnan(snr)
    if told.any():
        error = snr[told] - w.snr[told]
        figures["snr"] = {
            "mae_db": float(np.abs(error).mean()),
            "bias_db": float(error.mean()),
            "spearman": spearman(snr[told], w.snr[told]),
            "told": float(told.sum() / (w.mixed & w.noisy).sum()),
        }
    return figures


def _by(
    labels: NDArray[np.str_], figure: Callable[[NDArray[np.bool_]], float], counted: NDArray[np.bool_]
) -> dict[str, float]:
    """A figure by label, where at least FEWEST of the counted windows carry it."""
    known = [str(k) for k in sorted(set(labels[counted].tolist()) - {""})]
    return {k: figure(labels == k) for k in known if (counted & (labels == k)).sum() >= FEWEST}


def _paired(w: _Windows, ours: Numbers, theirs: Numbers) -> list[float]:
    def figure(chosen: NDArray[np.int_]) -> float:
        return w.mean_auc(ours, chosen) - w.mean_auc(theirs, chosen)

    return [figure(np.arange(len(ours))), *clustered(figure, w.speaker, of=w.mixed)]


def _conditions(
    items: Sequence[Item], catalogue: Catalogue, scorers: Sequence[Scorer], seed: int, console: Console
) -> dict[str, dict[str, float]]:
    """Mean AUC over 0 to 20 dB by scorer and condition, on the same windows."""
    spoken = [i for i in items if i.situation == "speech" and (i.snr_db is None or i.snr_db <= NOISY_DB)]
    clean = [i for i in spoken if not i.noisy][:CONDITION_WINDOWS]
    each = CONDITION_WINDOWS // len(MEAN_OF)
    chosen = clean + [i for s in MEAN_OF for i in [i for i in spoken if i.snr_db == s][:each]]
    table = _Windows(chosen, catalogue)
    result: dict[str, dict[str, float]] = defaultdict(dict)
    for condition in CONDITIONS:
        if condition == "room" and not catalogue.rooms:
            continue
        noises: dict[str, list[float | None]] = {s.name: [] for s in scorers}
        for item in track(chosen, condition, console=console, transient=True):
            samples = render(item, catalogue, seed, condition)
            for scorer in scorers:
                noises[scorer.name].append(scorer.judge(samples).noise)
        for name, values in noises.items():
            result[name][condition] = table.mean_auc(_numbers(values), np.arange(len(chosen)))
    return result


def markdown(result: dict[str, Any]) -> str:
    """The report as tables to read."""
    scorers: dict[str, Any] = result["scorers"]
    lines = [
        f"Split {result['split']}, seed {result['seed']}: {result['windows']} windows of "
        f"{result['speakers']} speakers; noisewatch {result['noisewatch']}, {result['made']}, {result['machine']}.",
        "",
        "ROC-AUC of clean speech against noisy speech at one SNR, 95 % intervals by resampling speakers",
        "",
    ]
    steps = [*(f"{s:g} dB" for s in MEAN_OF), "0-20 dB", *(f"{s:g} dB" for s in SNRS if s not in MEAN_OF)]
    rows = [[name, *(_spread(f["auc"][s]) for s in steps)] for name, f in scorers.items()]
    lines += [*_table(["scorer", *steps], rows), "", "Against all clean windows, quiet rooms among them", ""]
    lines += _both("live", scorers)
    lines += ["", "Mean AUC over 0-20 dB under conditions, on the same windows", "", *_both("conditions", scorers)]
    for title, key in (
        ("By kind of noise, 0-20 dB", "by_noise_kind"),
        ("By source of noise, 0-20 dB", "by_noise_source"),
        ("By source of the voice, 0-20 dB", "by_voice_source"),
    ):
        if any(f[key] for f in scorers.values()):
            lines += ["", title, "", *_turned(key, scorers)]
    for name, f in scorers.items():
        lines += ["", f"**{name}**", "", *(f"- {sentence}" for sentence in _said(f))]
        if name in result["differences"]:
            first = next(iter(scorers))
            lines.append(f"- {first} is better by {_spread(result['differences'][name])} on 0-20 dB")
    return "\n".join(lines) + "\n"


def _said(f: dict[str, Any]) -> Iterator[str]:
    if "threshold" in f:
        called = f["clean_called_noisy"]
        accuracy = ", ".join(f"{_figure(v)} at {k}" for k, v in f["balanced_accuracy"].items())
        yield f"at the threshold of {f['threshold']:g}: balanced accuracy {accuracy}"
        shares = [f"{_figure(called[k], '.1%')} of {k}" for k in ("speech", "all")]
        yield f"clean windows called noisy: {', '.join(shares)}"
        yield f"expected calibration error {f['calibration']['expected_error']:.3f}"
    if "snr" in f:
        snr = f["snr"]
        yield (
            f"SNR over 0-30 dB: mean absolute error {snr['mae_db']:.1f} dB, bias {snr['bias_db']:+.1f} dB, "
            f"Spearman {_figure(snr['spearman'], '.2f')}, told for {snr['told']:.0%} of the windows"
        )
    if "streams" in f:
        s = f["streams"]
        delay = "" if s["median_delay_s"] is None else f", median delay {s['median_delay_s']:.1f} s"
        rate, low, high = s["false_alarms_per_hour"]
        yield (
            f"{s['false_alarms']} false alarms, by {len(s['false_alarms_by_voice'])} of the voices, in "
            f"{s['clean_minutes']:.1f} minutes of clean speech "
            f"({rate:.0f} an hour, 95 % interval {low:.0f} to {high:.0f}); "
            f"{s['clean_time_called_noisy']:.1%} of the time called noisy"
        )
        already = f", {s['on_already']} called before they began" if s["on_already"] else ""
        yield f"{s['missed']} of {s['noises']} noises of 1-4 s at 0-10 dB missed{already}{delay}"
    if f["unjudged"]:
        yield f"{f['unjudged']} windows could not be judged and are left out"


def _spread(values: Sequence[float | None]) -> str:
    value, low, high = values
    return _figure(value) if low is None else f"{_figure(value)} ({_figure(low)}-{_figure(high)})"


def _figure(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else f"{value:{form}}"


def _both(key: str, scorers: dict[str, Any]) -> list[str]:
    """A table of a flat figure: one row a scorer."""
    columns = list(next(iter(scorers.values()))[key])
    return _table(["scorer", *columns], [[n, *(_figure(f[key][c]) for c in columns)] for n, f in scorers.items()])


def _turned(key: str, scorers: dict[str, Any]) -> list[str]:
    """The same with one column a scorer, for long lists."""
    rows = list(next(iter(scorers.values()))[key])
    return _table(["", *scorers], [[r, *(_figure(f[key][r]) for f in scorers.values())] for r in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = "| " + " | ".join(head) + " |"
    return [line, "| --- " * len(head) + "|", *("| " + " | ".join(row) + " |" for row in rows)]
