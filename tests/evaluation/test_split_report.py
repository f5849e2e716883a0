"""The report on a split of a manifest, from the command and from Python."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import noisewatch
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import read_manifest, write_manifest
from noisewatch.evaluation import testset
from noisewatch.evaluation.estimate import Estimate
from noisewatch.evaluation.markdown import of_report
from noisewatch.evaluation.report import report
from noisewatch.evaluation.scorers import Judgement, Scorer
from noisewatch.evaluation.stream_figures import Detections
from noisewatch.evaluation.testset import CONDITIONS


def test_the_report_has_intervals_and_streams(run, toy_set: Path, tmp_path: Path):
    done = run("evaluate", toy_set, "--model", "tcn", "--count", 20, "-o", tmp_path / "report", timeout=200)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)  # JSON has no NaN
    figures = result["scorers"]["tcn"]
    kinds = ("auc", "live", "conditions", "balanced_accuracy", "clean_called_noisy")
    for value, low, high in (estimate for kind in kinds for estimate in figures[kind].values()):
        assert 0 <= low <= value <= high <= 1
    assert set(figures["conditions"]) == set(CONDITIONS) - {"room"}  # the toy set has no rooms
    assert figures["agreement"]["windows"] == pytest.approx(figures["snr"]["estimated_share"] * 70)
    streams = figures["streams"]
    assert streams["alarms"]["other"]["all"]["seconds"] > 20
    assert list(streams["delays"]["all"]) == ["0 dB", "5 dB", "10 dB", "15 dB", "20 dB"]
    assert streams["short_noises"]["noises"] > 0
    assert "does not name the kinds of sounds" in streams["notes"][0]
    text = (tmp_path / "report.md").read_text()
    assert "| tcn |" in text
    assert "nan" not in text
    assert run("evaluate", toy_set, "--split", "exam").returncode == 2


def test_unknown_figures_are_null_in_json_and_dashes_in_tables(catalogue: Catalogue):
    scorers = [Scorer("mute", lambda samples: Judgement(None), threshold=0.5)]
    made = report(catalogue, scorers, split="train", count=10, seed=0)
    json.loads(json.dumps(made.json()), parse_constant=pytest.fail)
    text = of_report(made)
    assert "| mute | - |" in text
    assert "nan" not in text


def test_the_same_item_has_the_same_samples(catalogue: Catalogue):
    items = testset.draw(catalogue, 20, seed=1)
    assert items == testset.draw(catalogue, 20, seed=1)
    for item in items:
        samples = testset.rendered(item, catalogue, 1)
        np.testing.assert_array_equal(samples, testset.rendered(item, catalogue, 1))
        assert np.abs(samples).max() <= 1


@pytest.fixture(scope="module")
def of_tcn(toy_set: Path, tmp_path_factory: pytest.TempPathFactory) -> noisewatch.Report:
    """Of a manifest with a kind of sound that the program does not know, and one noise without any."""
    path = tmp_path_factory.mktemp("named") / "manifest.csv"
    rows = [replace(r, sound="" if r.group == "noise00" else "zither") for r in read_manifest(toy_set)]
    write_manifest(path, rows)
    return noisewatch.evaluate(data=path, count=10, seed=3, models=["tcn"])


def test_the_report_from_python(toy_set: Path, of_tcn: noisewatch.Report):
    made = of_tcn
    assert (made.split, made.seed, made.left_out) == ("test", 3, 0)
    tcn, statistic = made.scorers.values()
    assert isinstance(tcn.auc["0-20 dB"], Estimate)
    assert tcn.decisions is not None
    assert tcn.decisions.threshold == 0.9
    assert tcn.streams is not None
    assert set(tcn.streams.short_noises_by_sound) == {"zither", "unknown"}
    assert Detections.pooled(tcn.streams.short_noises_by_sound.values()).noises == tcn.streams.short_noises.noises
    assert not tcn.streams.notes
    assert (statistic.decisions, statistic.streams) == (None, None)
    assert list(made.differences) == list(made.scorers)[1:]
    stored = made.json()
    assert "decisions" not in stored["scorers"]["tcn"]  # their fields are keys of the scorer
    assert "threshold" not in stored["scorers"][next(iter(made.differences))]
    with pytest.raises(noisewatch.UsageError, match="unknown split 'exam'; allowed: train, val, test"):
        noisewatch.evaluate(data=toy_set, split="exam")
    with pytest.raises(noisewatch.UsageError, match="count is 3 and seed is 7; allowed: 10 or more"):
        noisewatch.evaluate(data=toy_set, count=3)


def test_the_reports_in_the_repository_have_the_same_keys(of_tcn: noisewatch.Report):
    """Earlier versions wrote the reports of the models that ship: what reads a new report can read them too.

    Except for streams, which are measured differently since.
    """
    made, stored = of_tcn.json(), json.loads((ROOT / "models" / "reports" / "tcn.json").read_text())
    assert list(made) == list(stored)
    ours, theirs = made["scorers"]["tcn"], stored["scorers"]["tcn"]
    assert [key for key in ours if key != "agreement"] == [key for key in theirs if key != "agreement"]
    for group in ("calibration", "snr", "clean_called_noisy", "auc", "live"):
        assert list(ours[group]) == list(theirs[group])
