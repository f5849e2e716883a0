"""Whether a calibrated budget of false alarms holds in the hours after: the same voices and rooms, later.

python benchmarks/calibration.py DATA [--split val] [--model NAME]    needs the training extra
"""

from __future__ import annotations

import argparse
from pathlib import Path

from noisewatch import NoiseDetector, Reading
from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import read_manifest
from noisewatch.evaluation.streams import streams
from noisewatch.tasks.false_alarms import alarms, poisson_interval
from noisewatch.tasks.threshold import choose

BUDGETS = (10.0, 30.0, 60.0, 120.0)  # false alarms an hour


def main() -> None:
    """Calibrate on the first half of each voice's recordings, count in the second, and the other way round."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--split", default="val")
    options.add_argument("--model", default=DEFAULT)
    chosen = options.parse_args()
    catalogue, _ = Catalogue.load(read_manifest(chosen.data), chosen.split)
    detector = NoiseDetector(chosen.model)
    recordings: list[list[Reading]] = []
    for seed in (7, 8, 9):  # other pauses, floors and windows on the same voices
        for stream in streams(catalogue, seed, noisy=False):
            recordings.append(detector.stream().push(stream.samples))
    halves = [r[: len(r) // 2] for r in recordings], [r[len(r) // 2 :] for r in recordings]
    card = detector.model.card
    hop = card.hop_s
    hours = [sum(map(len, half)) * hop / 3600 for half in halves]
    print(f"{chosen.model}, split {chosen.split}: {hours[0] * 60:.1f} and {hours[1] * 60:.1f} minutes")
    for budget in BUDGETS:
        called, heard = 0, 0.0
        thresholds = []
        for mine, other, length in ((halves[0], halves[1], hours[1]), (halves[1], halves[0], hours[0])):
            threshold = choose(mine, budget, hop, card.threshold)
            thresholds.append("none" if threshold is None else f"{threshold:.2f}")
            if threshold is not None:
                called += alarms(other, threshold, hop)
                heard += length
        if heard:
            low, high = (bound / heard for bound in poisson_interval(called))
            rate = f"{called / heard:.1f} an hour ({low:.1f} to {high:.1f})"
        else:
            rate = "no threshold keeps it"
        print(f"budget {budget:g} an hour: thresholds {', '.join(thresholds)}; on the other half {rate}")


if __name__ == "__main__":
    main()
