"""`noisewatch.scan` from Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile as sf
from conftest import DEMO

import noisewatch
from noisewatch.recordings.judge import Judge
from noisewatch.recordings.scan_config import ScanConfig


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hop": 0}, "the hop is 0"),
        ({"threshold": "high"}, "the threshold is 'high'"),
        ({"channel": 0}, "the channel is 0"),
        ({"channel": 1.5}, "the channel is 1.5"),
        ({"channel": float("inf")}, "the channel is inf"),
        ({"channel": "2"}, "the channel is '2'"),
        ({"paths": 3}, "the paths are 3"),
        ({"paths": [DEMO, None]}, "the paths are "),
        ({"model": "nothing"}, "unknown model 'nothing'"),
    ],
)
def test_scan_refuses_bad_arguments_when_it_is_called(arguments: dict[str, object], sentence: str):
    with pytest.raises(noisewatch.NoisewatchError, match=sentence):
        noisewatch.scan(**{"paths": DEMO, **arguments})  # raised at the call, before the first report


def test_a_report_is_a_row():
    (report,) = noisewatch.scan([DEMO], hop=1.0)
    row = report.row()
    assert row["segments"] == 1
    assert row["loudest_start"] == report.segments[0].start
    assert all(not isinstance(value, list | dict | tuple) for value in row.values())
    assert noisewatch.FileReport.from_json(report.json()).path == report.path
    (broken,) = noisewatch.scan("/nowhere/x.wav")
    assert not broken.judged
    assert broken.error is not None


def test_a_file_that_changes_while_it_is_read(tmp_path: Path):
    path = tmp_path / "growing.wav"
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(path, samples, rate)
    (report,) = Judge(ScanConfig())(path, lambda share: os.utime(path, (1, 1)))
    assert report.error is not None
    assert "changed while it was read" in report.error
