"""The report on a split: every scorer judges the same windows and streams."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..corpus.catalogue import Catalogue
from ..corpus.manifest import SPLITS, load_audio, read_manifest
from ..corpus.render import NOISY_DB
from ..errors import UsageError
from ..ui.progress import tracked
from ..version import __version__
from .estimate import Estimate
from .figures import Report
from .scorers import Judgement, Scorer
from .stream_figures import StreamFigures
from .stream_metrics import on_streams
from .testset import CONDITIONS, Item, draw, rendered
from .window_set import MEAN_OF, WindowSet, numbers

LEAST_COUNT = 10  # windows of clean speech
USUAL_COUNT = 600  # for which all streams are made; fewer windows, fewer streams
CONDITION_WINDOWS = 300  # per class and condition


def report_on(
    manifest: Path,
    split: str,
    scorers: Sequence[Scorer],
    *,
    count: int,
    seed: int,
    on_skip: Callable[[str], None] = lambda message: None,
    progress: bool = False,
) -> Report:
    """Evaluate scorers on one split of a manifest.

    on_skip: called with a message for each recording that cannot be used. Raises UsageError for an unknown split,
    a count below 10 or a negative seed, InputError for a split without clean speech or without noise.
    """
    if split not in SPLITS:
        raise UsageError(f"unknown split {split!r}; allowed: {', '.join(SPLITS)}.")
    if count < LEAST_COUNT or seed < 0:
        raise UsageError(f"count is {count} and seed is {seed}; allowed: {LEAST_COUNT} or more, and 0 or more.")
    rows = read_manifest(manifest)
    catalogue, skipped = Catalogue.load(rows, split)
    if not catalogue.rooms and split == "test":  # validation rooms: no network was trained on them either
        rooms = [r for r in rows if r.split == "val" and r.kind == "rir"]
        catalogue.rooms = [load_audio(r.path) for r in rooms]
    for message in skipped:
        on_skip(f"left out: {message}")
    made = report(catalogue, scorers, split=split, count=count, seed=seed, progress=progress)
    return replace(made, left_out=len(skipped))


def report(
    catalogue: Catalogue, scorers: Sequence[Scorer], *, split: str, count: int, seed: int, progress: bool = False
) -> Report:
    """Evaluate scorers on the recordings of a catalogue. count: windows of clean speech, see testset.draw."""
    items = draw(catalogue, count, seed)
    windows = WindowSet(items, catalogue)
    judged = _judged(items, catalogue, scorers, seed, "plain", "windows", progress)
    conditions = _conditions(items, catalogue, scorers, seed, progress)
    noises = {name: numbers([j.noise for j in js]) for name, js in judged.items()}
    first, *others = (s.name for s in scorers)
    return Report(
        split=split,
        left_out=0,
        noisewatch=__version__,
        made=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=_machine(),
        seed=seed,
        windows=len(items),
        speakers=windows.speakers,
        scorers={
            s.name: replace(
                windows.figures(judged[s.name], s.threshold),
                conditions=conditions[s.name],
                streams=_streams(s, catalogue, count, seed, progress),
            )
            for s in scorers
        },
        differences={name: windows.difference(noises[first], noises[name]) for name in others},
    )


def _machine() -> str:
    import onnxruntime  # late: core.ort has to disable telemetry before the first import

    versions = f"Python {platform.python_version()}, numpy {np.__version__}, onnxruntime {onnxruntime.__version__}"
    return f"{platform.machine()}, {versions}"


def _judged(
    items: Sequence[Item],
    catalogue: Catalogue,
    scorers: Sequence[Scorer],
    seed: int,
    condition: str,
    label: str,
    progress: bool,
) -> dict[str, list[Judgement]]:
    """The judgements of the items by scorer; each window is rendered once."""
    judged: dict[str, list[Judgement]] = {s.name: [] for s in scorers}
    for item in tracked(items, label, progress):
        samples = rendered(item, catalogue, seed, condition)
        for scorer in scorers:
            judged[scorer.name].append(scorer.judge(samples))
    return judged


def _streams(scorer: Scorer, catalogue: Catalogue, count: int, seed: int, progress: bool) -> StreamFigures | None:
    if scorer.detector is None:
        return None
    threshold = scorer.detector.model.card.threshold
    share = count / USUAL_COUNT
    return on_streams(scorer.detector, catalogue, seed, [threshold], share=share, progress=progress)[threshold]


def _conditions(
    items: Sequence[Item], catalogue: Catalogue, scorers: Sequence[Scorer], seed: int, progress: bool
) -> dict[str, dict[str, Estimate]]:
    """Mean AUC over 0 to 20 dB by scorer and condition, on the same windows."""
    spoken = [i for i in items if i.situation == "speech" and (i.snr_db is None or i.snr_db <= NOISY_DB)]
    clean = [i for i in spoken if not i.noisy][:CONDITION_WINDOWS]
    each = CONDITION_WINDOWS // len(MEAN_OF)
    chosen = clean + [i for s in MEAN_OF for i in [i for i in spoken if i.snr_db == s][:each]]
    windows = WindowSet(chosen, catalogue)
    result: dict[str, dict[str, Estimate]] = defaultdict(dict)
    for condition in CONDITIONS:
        if condition == "room" and not catalogue.rooms:
            continue
        judged = _judged(chosen, catalogue, scorers, seed, condition, condition, progress)
        for name, judgements in judged.items():
            result[name][condition] = windows.mean_auc(numbers([j.noise for j in judgements]))
    return result
