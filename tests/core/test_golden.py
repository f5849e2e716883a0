"""The readings of the demo clip, compared with those in tests/golden."""

import json

import pytest
from make_golden import GOLDEN, demo_readings


def test_the_demo_reads_as_before():
    """Any change of front end, engine or weights shows here; `python tests/make_golden.py` regenerates the file."""
    golden = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    found = json.loads(json.dumps(demo_readings()))
    assert len(found) == len(golden)
    for now, before in zip(found, golden, strict=True):
        assert now == {k: pytest.approx(v, abs=1e-3) if isinstance(v, float) else v for k, v in before.items()}
