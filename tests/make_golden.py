"""Generates tests/golden/demo.jsonl: the default model's readings of the demo clip, one per line.

    python tests/make_golden.py

Run it after a change that intentionally alters readings, and inspect the difference before committing it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import soundfile as sf

import noisewatch
from noisewatch.core.shipped import DEFAULT

GOLDEN = Path(__file__).parent / "golden" / "demo.jsonl"
FIELDS = ("time", "noise", "snr_db", "voice", "level_dbfs", "state", "reason", "warnings", "reference")


def demo_readings(model: str = DEFAULT) -> list[dict[str, Any]]:
    """All readings of the clip, with more digits than in a JSON line."""
    samples, rate = sf.read(Path(noisewatch.__file__).with_name("demo.flac"), dtype="float32")
    stream = noisewatch.NoiseDetector(model).stream()
    made = [*stream.process(samples, sample_rate=rate), *stream.finish()]
    readings = [asdict(item) for item in made if isinstance(item, noisewatch.Reading)]
    chosen = [{name: reading[name] for name in FIELDS} for reading in readings]
    return [{k: round(v, 6) if isinstance(v, float) else v for k, v in reading.items()} for reading in chosen]


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text("".join(json.dumps(reading) + "\n" for reading in demo_readings()))
