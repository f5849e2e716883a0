"""The honest report: a split's windows and streams through the engine, with intervals, as JSON and Markdown."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

import noisewatch

from ..corpus.catalogue import Catalogue
from ..corpus.manifest import SPLITS, load_audio, read_manifest
from ..corpus.render import NOISY_DB
from ..errors import OutputError, UsageError
from ..system.files import atomic_write
from ..ui import terminal
from .scorers import Judgement, Scorer
from .statistics import balanced_accuracy, clustered, reliability, roc_auc, spearman
from .stream_metrics import on_streams
from .testset import CONDITIONS, SNRS, Item, draw, rendered

MEAN_OF = tuple(s for s in SNRS if s <= NOISY_DB)  # the SNRs whose mean AUC is the figure to compare
CONDITION_WINDOWS = 300  # of each class for every condition
FEWEST = 20  # windows of a kind or source below which a figure says nothing

LIVE = ("noise alone", "speech", "dense speech", "gated noise")

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


def report(catalogue: Catalogue, scorers: Sequence[Scorer], *, count: int, seed: int) -> dict[str, Any]:
    """Every figure of every scorer on the windows and streams of a catalogue, ready for json.dump."""
    items = draw(catalogue, count, seed)
    console = terminal.console(stderr=True)
    judged: dict[str, list[Judgement]] = {s.name: [] for s in scorers}
    for item in track(items, "windows", console=console, transient=True):
        samples = rendered(item, catalogue, seed)
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
        terminal.console(stderr=True, soft_wrap=True).print(f"left out: {sentence}", markup=False, highlight=False)
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


def write(result: Any, text: str, out: Path) -> tuple[Path, Path]:
    """Write a result as out.json and its tables as out.md; returns their paths."""
    paths = places(out)
    for path, written in zip(paths, (json.dumps(result, indent=1), text), strict=True):
        with atomic_write(path) as file:
            file.write(written)
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
        self.speech_noisy = self.mixed & self.scored

    def spread(self, figure: Callable[[NDArray[np.int_]], float], of: Mask) -> list[float]:
        """A figure of the windows that it looks at, and its 95 % interval when speakers are drawn anew."""
        return [figure(np.flatnonzero(of)), *clustered(figure, self.speaker, of=of)]

    def mean_auc(self, noise: Numbers, chosen: NDArray[np.int_]) -> float:
        """Mean AUC over 0 to 20 dB among the chosen windows."""
        clean = chosen[self.clean_speech[chosen]]
        at = [chosen[self.mixed[chosen] & (self.snr[chosen] == s)] for s in MEAN_OF]
        return float(np.mean([_auc(noise[clean], noise[noisy]) for noisy in at]))


def _numbers(values: Sequence[float | None]) -> Numbers:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _auc(clean: Numbers, noisy: Numbers) -> float:
    return roc_auc(clean[~np.isnan(clean)], noisy[~np.isnan(noisy)])


def _figures(w: _Windows, noise: Numbers, snr: Numbers, threshold: float | None) -> dict[str, Any]:
    """Every figure of one scorer; most are [value, low, high] with the 95 % interval over speakers."""
    known = ~np.isnan(noise)

    def auc(clean: Mask, noisy: Mask) -> list[float]:
        return w.spread(lambda at: _auc(noise[at[clean[at]]], noise[at[noisy[at]]]), clean | noisy)

    def by(labels: NDArray[np.str_], counted: Mask, clean: Callable[[Mask], Mask]) -> dict[str, list[float]]:
        names = [str(k) for k in sorted(set(labels[counted].tolist()) - {""})]
        enough = [k for k in names if (counted & (labels == k)).sum() >= FEWEST]
        return {k: auc(clean(labels == k), w.speech_noisy & (labels == k)) for k in enough}

    at_snr = {f"{value:g} dB": w.mixed & (w.snr == value) for value in SNRS}
    situations = {s: w.scored & (w.situation == s) for s in LIVE}
    figures: dict[str, Any] = {
        "unjudged": int((~known).sum()),
        "auc": {name: auc(w.clean_speech, noisy) for name, noisy in at_snr.items()},
        "live": {name: auc(~w.noisy, noisy) for name, noisy in situations.items()},
        "by_noise_kind": by(w.kind, w.speech_noisy, lambda mine: w.clean_speech),
        "by_noise_source": by(w.noise_source, w.speech_noisy, lambda mine: w.clean_speech),
        "by_voice_source": by(w.voice_source, w.clean_speech, lambda mine: w.clean_speech & mine),
    }
    figures["auc"]["0-20 dB"] = w.spread(lambda at: w.mean_auc(noise, at), w.mixed)
    figures["live"]["all"] = auc(~w.noisy, w.scored)
    if threshold is not None:
        figures |= _decided(w, noise, threshold, at_snr | {"0-20 dB": w.speech_noisy})
    told = w.mixed & w.noisy & ~np.isnan(snr)
    if told.any():
        error = snr - w.snr
        figures["snr"] = {
            "mae_db": w.spread(lambda at: float(np.abs(error[at]).mean()), told),
            "bias_db": w.spread(lambda at: float(error[at].mean()), told),
            "spearman": w.spread(lambda at: spearman(snr[at], w.snr[at]), told),
            "told": float(told.sum() / (w.mixed & w.noisy).sum()),
        }
    return figures


def _decided(w: _Windows, noise: Numbers, threshold: float, groups: Mapping[str, Mask]) -> dict[str, Any]:
    """What a scorer decides at its threshold, and how far its probabilities are right."""
    known = ~np.isnan(noise)
    clean = w.clean_speech & known

    def accuracy(noisy: Mask) -> list[float]:
        return w.spread(
            lambda at: balanced_accuracy(noise[at[clean[at]]], noise[at[noisy[at]]], threshold), clean | noisy
        )

    def share(of: Mask) -> list[float]:
        return w.spread(lambda at: float((noise[at] >= threshold).mean()) if len(at) else float("nan"), of)

    sure = known & (~w.noisy | w.scored)
    return {
        "threshold": threshold,
        "balanced_accuracy": {name: accuracy(noisy & known) for name, noisy in groups.items()},
        "clean_called_noisy": {"speech": share(clean), "all": share(~w.noisy & known)},
        "calibration": {
            "expected_error": w.spread(lambda at: reliability(noise[at], w.scored[at])[0], sure),
            "bins": reliability(noise[sure], w.scored[sure])[1],
        },
    }


def _paired(w: _Windows, ours: Numbers, theirs: Numbers) -> list[float]:
    return w.spread(lambda at: w.mean_auc(ours, at) - w.mean_auc(theirs, at), w.mixed)


def _conditions(
    items: Sequence[Item], catalogue: Catalogue, scorers: Sequence[Scorer], seed: int, console: Console
) -> dict[str, dict[str, list[float]]]:
    """Mean AUC over 0 to 20 dB by scorer and condition, on the same windows."""
    spoken = [i for i in items if i.situation == "speech" and (i.snr_db is None or i.snr_db <= NOISY_DB)]
    clean = [i for i in spoken if not i.noisy][:CONDITION_WINDOWS]
    each = CONDITION_WINDOWS // len(MEAN_OF)
    chosen = clean + [i for s in MEAN_OF for i in [i for i in spoken if i.snr_db == s][:each]]
    table = _Windows(chosen, catalogue)
    result: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for condition in CONDITIONS:
        if condition == "room" and not catalogue.rooms:
            continue
        noises: dict[str, list[float | None]] = {s.name: [] for s in scorers}
        for item in track(chosen, condition, console=console, transient=True):
            samples = rendered(item, catalogue, seed, condition)
            for scorer in scorers:
                noises[scorer.name].append(scorer.judge(samples).noise)
        for name, values in noises.items():
            noise = _numbers(values)
            result[name][condition] = table.spread(partial(table.mean_auc, noise), table.mixed)
    return result
