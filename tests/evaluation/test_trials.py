"""Trials: the pooled figures of three thirds, and the comparison of trials."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import ROOT

from noisewatch import InputError
from noisewatch.evaluation.pooling import pooled_streams
from noisewatch.evaluation.stream_figures import AlarmRate, Detections, StreamFigures, StyleAlarms
from noisewatch.evaluation.trials import of_trial, read_trial


def streams(
    threshold: float, source: str, alarms: int, delays: tuple[float, ...], missed: int, already_on: int = 0
) -> StreamFigures:
    found = Detections.of(already_on, missed, delays, delays)
    rates = {source: AlarmRate.of(alarms, 600.0, 3.0, 0.0)}
    return StreamFigures(
        threshold=threshold,
        alarms={
            "read": StyleAlarms.of({f"read_{source}": AlarmRate.of(0, 60, 0, 0)}),
            "other": StyleAlarms.of(rates),
        },
        alarms_under_40_db={},
        delays={"all": {"20 dB": found}},
        second_voice={"5 dB": found},
        short_noises=found,
        short_noises_by_sound={},
        notes=(),
    )


def write_third(folder: Path, auc: float, points: list[StreamFigures]) -> None:
    folder.mkdir(parents=True)
    figures = {
        "auc": {"0-20 dB": [auc, None, None], "20 dB": [auc, None, None]},
        "live": {"all": [None, None, None]},
        "snr": {"mae_db": [2.0, 1, 3], "spearman": [0.9, 0, 1]},
        "agreement": {"windows": 200, "low_snr_clean": [0.01, 0, 1], "high_snr_noisy": [0.0, 0, 1]},
        "streams": asdict(points[-1]),
    }
    (folder / "report.json").write_text(json.dumps({"scorers": {"model": figures}}))
    (folder / "streams.json").write_text(json.dumps({"thresholds": [asdict(point) for point in points]}))
    (folder / "steps.json").write_text(json.dumps({"train": {"seconds": 90, "windows_per_s": 12.5}}))


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    for third, source in enumerate(("alder", "birch", "cedar"), start=1):
        points = [streams(0.5, source, 2 * third, (1.0, 2.0), 0), streams(0.9, source, third, (4.0,), 1)]
        write_third(folder / str(third), 0.9 + third / 100, points)
    (folder / "trial.json").write_text("{}")
    return folder


def test_counts_are_summed_and_delays_joined(trial: Path):
    read = read_trial(trial)
    whole = read.pooled
    assert whole.auc == {"0-20 dB": pytest.approx(0.92), "20 dB": pytest.approx(0.92), "live": None}
    other = whole.streams.alarms["other"]
    assert (other.all.alarms, other.all.seconds) == (1 + 2 + 3, 1800)
    assert list(other.sources) == ["cedar", "birch", "alder"]
    assert whole.streams.short_noises.start_delays_s == (4.0, 4.0, 4.0)
    assert (whole.streams.short_noises.missed, whole.streams.short_noises.noises) == (3, 6)
    assert whole.low_snr_clean == (6, 600)
    assert [point.alarms["other"].all.alarms for point in read.operating_points] == [12, 6]
    text = of_trial(read)
    assert "| most alarms | alder 1 | birch 2 | cedar 3 | cedar 3, birch 2, alder 1 |" in text
    assert "| 5 s at 20 dB within 3 s | 0 of 2 (0.0%) | 0 of 2 (0.0%) | 0 of 2 (0.0%) | 0 of 6 (0.0%) |" in text
    assert "- third 1: train 1.5 min; 12 windows/s" in text
    json.dumps(read.json())


def test_a_source_in_two_parts_is_pooled():
    parts = [streams(0.9, "alder", alarms, (1.0,), 0, already_on=1) for alarms in (1, 2)]
    whole = pooled_streams(parts)
    assert whole.alarms["other"].sources == {"alder": AlarmRate.of(3, 1200.0, 6.0, 0.0)}
    assert (whole.short_noises.noises, whole.short_noises.begun_clean) == (4, 2)


def test_trials_are_compared_at_equal_hits(trial: Path):
    shipped = trial.with_name("shipped")
    points = [streams(0.9, "birch", 5, (1.0, 2.0, 2.5, 2.9), 1), streams(0.95, "birch", 4, (1.0,), 0, already_on=4)]
    write_third(shipped / "2", 0.9, points)
    (shipped / "trial.json").write_text('{"model": "duo"}')
    table = [sys.executable, "tools/compare_trials.py", str(trial), str(shipped)]
    done = subprocess.run(table, capture_output=True, text=True, check=False, cwd=ROOT)
    rows = [line for line in done.stdout.splitlines() if line.startswith(("| base |", "| shipped |"))]
    assert rows[2].startswith("| base | 0.5 | 0 in 3.0 min: 0/h (0-74) | 12 in 30.0 min: 24/h (12-42) |")
    assert rows[3].startswith("| shipped | 0.9 | 0 in 1.0 min: 0/h (0-221) | 5 in 10.0 min: 30/h (10-70) |")
    assert "- shipped: duo may have learned from these sources" in done.stdout
    assert "- shipped: Not finished: third 1 and 3." in done.stdout


def test_a_trial_that_cannot_be_read_is_a_sentence(trial: Path, tmp_path: Path):
    (trial / "1" / "report.json").write_text('{"scorers": {"model": {"streams": null}}}')
    with pytest.raises(InputError, match=r"report.json is not of this version.*Delete it, and run the trial again"):
        read_trial(trial)
    (trial / "2" / "steps.json").write_text("{")
    (trial / "1" / "report.json").unlink()
    with pytest.raises(InputError, match=r"steps.json is damaged"):
        read_trial(trial)
    with pytest.raises(InputError, match=r"none/trial.json: No such file or directory. A trial is a folder that"):
        read_trial(tmp_path / "none")
