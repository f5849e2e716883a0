"""Whether a calibrated threshold stays within its false-alarm budget later on, with the same voices and rooms.

python benchmarks/calibration.py DATA [--split val] [--model NAME]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from noisewatch import NoiseDetector, Reading
from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import read_manifest
from noisewatch.evaluation.clean_streams import clean_stream, clean_voices
from noisewatch.tasks.false_alarms import alarms, poisson_interval
from noisewatch.tasks.threshold import choose

BUDGETS = (10.0, 30.0, 60.0, 120.0)  # false alarms per hour


def main() -> None:
    """Calibrate on the first half of each voice's recordings, count alarms in the second half, and vice versa."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--split", default="val")
    options.add_argument("--model", default=DEFAULT)
    chosen = options.parse_args()
    catalogue, _ = Catalogue.load(read_manifest(chosen.data), chosen.split)
    detector = NoiseDetector(chosen.model)
    recordings: list[list[Reading]] = []
    for seed in (7, 8, 9):  # different pauses, levels and windows for the same voices
        for voice in clean_voices(catalogue):
            recordings.append(detector.stream().push(clean_stream(voice, seed)))
    halves = [r[: len(r) // 2] for r in recordings], [r[len(r) // 2 :] for r in recordings]
    card = detector.model.card
    hop = card.hop_s
    hours = [sum(map(len, half)) * hop / 3600 for half in halves]
    print(f"{chosen.model}, split {chosen.split}: {hours[0] * 60:.1f} and {hours[1] * 60:.1f} minutes")
    for budget in BUDGETS:
        count, hours_heard = 0, 0.0
        thresholds = []
        for mine, other, length in ((halves[0], halves[1], hours[1]), (halves[1], halves[0], hours[0])):
            threshold = choose(mine, budget, hop, card.threshold)
            thresholds.append("none" if threshold is None else f"{threshold:.2f}")
            if threshold is not None:
                count += alarms(other, threshold, hop)
                hours_heard += length
        if hours_heard:
            low, high = (bound / hours_heard for bound in poisson_interval(count))
            rate = f"{count / hours_heard:.1f} per hour ({low:.1f} to {high:.1f})"
        else:
            rate = "no threshold meets the budget"
        print(f"budget {budget:g} per hour: thresholds {', '.join(thresholds)}; on the other half {rate}")


if __name__ == "__main__":
    main()
