"""Prints the alarms, misses and delays of each threshold on the validation split, for choosing a card's threshold.

python tools/choose_threshold.py DATA [--model NAME ...]

A recording with background noise of its own may raise alarms at every threshold, so look at the sources as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import read_manifest
from noisewatch.errors import NoisewatchError
from noisewatch.evaluation.scorers import model_scorer
from noisewatch.evaluation.stream_figures import AlarmRate, StreamFigures
from noisewatch.evaluation.stream_metrics import on_streams
from noisewatch.evaluation.tables import figure, table
from noisewatch.evaluation.testset import draw, rendered

THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
SNRS = (10.0, 20.0)
USUAL = 200  # windows at each SNR
SEED = 7


def main(
    data: Path,
    model: Annotated[list[str] | None, typer.Option(help="Shipped model or .onnx file (repeatable).")] = None,
    count: Annotated[int, typer.Option(min=1, help="Windows at each SNR; streams are in proportion.")] = USUAL,
) -> None:
    """Print tables for each model."""
    try:
        scorers = [model_scorer(name) for name in model or [DEFAULT]]
        catalogue, _ = Catalogue.load(read_manifest(data), "val")
    except NoisewatchError as error:
        raise SystemExit(str(error)) from None
    items = [i for i in draw(catalogue, 2 * count, SEED) if i.situation == "speech" and i.snr_db in SNRS]
    windows = [(item.snr_db, rendered(item, catalogue, SEED)) for item in items]
    for scorer in scorers:
        assert scorer.detector is not None
        judged = [(snr, scorer.judge(samples).noise or 0.0) for snr, samples in windows]
        found = on_streams(scorer.detector, catalogue, SEED, THRESHOLDS, share=count / USUAL, progress=True)
        print(f"\n{scorer.name}, val split\n")
        print(*table(["threshold", *minutes(found[THRESHOLDS[0]]), *DETECTED], [
            [f"{threshold:g}", *alarms(figures), *detected(figures),
             *(f"{share_called(judged, snr, threshold):.0%}" for snr in SNRS)]
            for threshold, figures in found.items()
        ]), sep="\n", flush=True)  # fmt: skip
        print()
        for threshold, figures in found.items():
            sources = [(s, rate.alarms) for each in figures.alarms.values() for s, rate in each.sources.items()]
            print(f"{threshold:g}:", *(f"{s} {n}" for s, n in sorted(sources, key=lambda x: -x[1]) if n))


DETECTED = (
    "time noisy", "missed of 1-4 s", "5 s at 20 dB within 3 s", *(f"{snr:g} dB windows called" for snr in SNRS)
)  # fmt: skip


def minutes(figures: StreamFigures) -> list[str]:
    """A column per style: its alarms, and what they were counted in."""
    return [f"alarms {style} ({each.all.judged_seconds / 60:.1f} min)" for style, each in figures.alarms.items()]


def alarms(figures: StreamFigures) -> list[str]:
    """The alarms of each style; without its dominant source, in brackets."""
    return [
        f"{each.all.alarms}" + ("" if each.others is None else f" ({each.others.alarms} without {each.dominant})")
        for each in figures.alarms.values()
    ]


def detected(figures: StreamFigures) -> list[str]:
    """Time called noisy, misses, and noises called promptly."""
    heard = AlarmRate.pooled(each.all for each in figures.alarms.values())
    faint = figures.delays["all"].get("20 dB")
    return [
        figure(heard.noisy_share, ".1%"),
        f"{figures.short_noises.missed} of {figures.short_noises.begun_clean}",
        figure(faint.prompt_share.value if faint else None, ".0%"),
    ]


def share_called(judged: Sequence[tuple[float | None, float]], snr_db: float, threshold: float) -> float:
    """The share of the windows at an SNR whose probability reaches the threshold."""
    called = [noise >= threshold for at, noise in judged if at == snr_db]
    return sum(called) / len(called)


if __name__ == "__main__":
    typer.run(main)
