"""Prints the false alarms and misses of each threshold on the validation split, for choosing a card's threshold.

python tools/choose_threshold.py DATA [--model NAME ...] [--seeds 4]

A recording with background noise of its own raises an alarm for every seed, so the number of voices is more telling
than the number of alarms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import read_manifest
from noisewatch.evaluation.scorers import model_scorer
from noisewatch.evaluation.stream_metrics import on_streams
from noisewatch.evaluation.testset import draw, rendered

THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
SNRS = (10.0, 20.0)
WINDOWS = 200  # at each SNR
SEED = 7


def main(
    data: Path,
    model: Annotated[list[str] | None, typer.Option(help="Shipped model or .onnx file (repeatable).")] = None,
    seeds: Annotated[int, typer.Option(help="Number of times to join each voice's recordings.")] = 4,
) -> None:
    """Print a table for each model."""
    catalogue, _ = Catalogue.load(read_manifest(data), "val")
    items = [i for i in draw(catalogue, 2 * WINDOWS, SEED) if i.situation == "speech" and i.snr_db in SNRS]
    windows = [(item.snr_db, rendered(item, catalogue, SEED)) for item in items]
    for name in model or [DEFAULT]:
        scorer = model_scorer(name)
        assert scorer.detector is not None
        judged = [(snr, scorer.judge(samples).noise or 0.0) for snr, samples in windows]
        table = on_streams(scorer.detector, catalogue, range(SEED, SEED + seeds), THRESHOLDS, progress=True)
        first = table[THRESHOLDS[0]]
        print(f"\n{name}, val split: {first.noises} noises, {first.clean_minutes:.1f} clean minutes joined "
              f"{seeds} times; alarms are averages over these")  # fmt: skip
        print("threshold  false alarms  per hour (95 %)    voices  time noisy  missed  " +
              "  ".join(f"{snr:g} dB called" for snr in SNRS))  # fmt: skip
        for threshold, f in table.items():
            rate, low, high = f.false_alarms_per_hour
            called = [[noise >= threshold for at, noise in judged if at == snr] for snr in SNRS]
            print(
                f"{threshold:9.2f}  {f.false_alarms:12.1f}  {rate:5.1f} ({low:.1f}-{high:.1f})".ljust(44)
                + f"{len(f.false_alarms_by_voice):6d}  {f.clean_time_called_noisy:10.1%}  {f.missed:6d}  "
                + "  ".join(f"{sum(c) / len(c):12.0%}" for c in called),
                flush=True,
            )
        for threshold, f in table.items():
            print(f"{threshold:9.2f}", *(f"{voice} {n}" for voice, n in f.false_alarms_by_voice.items()))


if __name__ == "__main__":
    typer.run(main)
