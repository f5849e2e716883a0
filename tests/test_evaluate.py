"""The honest numbers: fixed windows, intervals, streams, and what ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from typer.testing import CliRunner

from noisewatch.cli.app import app
from noisewatch.core.shipped import DEFAULT, find_model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.errors import InputError
from noisewatch.evaluation import markdown, report, testset
from noisewatch.evaluation.scorers import Judgement, Scorer
from noisewatch.evaluation.statistics import (
    clustered,
    reliability,
    roc_auc,
    spearman,
    wilson_interval,
)
from noisewatch.evaluation.testset import CONDITIONS
from noisewatch.evaluation.windows import score_windows
from noisewatch.tasks.false_alarms import poisson_interval


def test_auc_counts_ties_half():
    assert roc_auc([0, 1], [2, 3]) == 1.0
    assert roc_auc([2, 3], [0, 1]) == 0.0
    assert roc_auc([1, 1], [1, 1]) == 0.5
    assert roc_auc([0, 2], [1, 3]) == 0.75


@pytest.fixture
def windows(tmp_path: Path, voice: np.ndarray, noisy_voice: np.ndarray) -> Path:
    """Three clean windows and three noisy ones, without situations."""
    x = np.stack([w[i : i + 48_000] for w in (voice, noisy_voice) for i in (0, 8_000, 16_000)])
    pcm = np.round(x.clip(-1, 1) * 32767).astype(np.int16)
    np.savez(tmp_path / "w.npz", x=pcm, y=np.repeat([0, 1], 3), snr=np.repeat([99.0, 10.0], 3))
    return tmp_path / "w.npz"


def test_evaluate_scores_windows(run, tmp_path: Path, windows: Path):
    """And keeps the scores of two models that are called the same apart."""
    (tmp_path / "duo.onnx").write_bytes(find_model(DEFAULT).read_bytes())
    models = ("--model", DEFAULT, "--model", tmp_path / "duo.onnx")
    done = run("evaluate", "--windows", windows, "--json", *models)
    assert done.returncode == 0, done.stderr
    model, file, by_hand = map(json.loads, done.stdout.splitlines())
    assert by_hand["auc"]["10 dB"] == 1.0
    assert (model["scorer"], file["scorer"]) == (DEFAULT, str(tmp_path / "duo.onnx"))
    assert model["auc"] == file["auc"] == {"10 dB": 1.0, "all": 1.0}  # 10 is a number of dB, and no other sign
    assert model["snr_mae_db"] < 10
    done = run("evaluate", "--windows", windows, "-o", tmp_path / "fixed")
    assert done.returncode == 0, done.stderr
    assert [r["scorer"] for r in json.loads((tmp_path / "fixed.json").read_text())] == [DEFAULT, by_hand["scorer"]]
    assert f"| {DEFAULT} | 1.000 | 1.000 |" in (tmp_path / "fixed.md").read_text()


def test_windows_say_their_situation(tmp_path: Path, windows: Path):
    arrays = dict(np.load(windows))
    situation = np.array(["quiet room", "speech", "speech", "mix", "speech", "noise alone"])
    np.savez(tmp_path / "s.npz", **arrays, situation=situation)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "s.npz").write_bytes((tmp_path / "s.npz").read_bytes())
    scorer = Scorer("loud", lambda samples: Judgement(float(np.abs(samples).mean()), 12.0), threshold=0.5)
    found, same = score_windows([tmp_path / "s.npz", tmp_path / "other" / "s.npz"], [scorer])
    assert list(found["auc"]) == ["10 dB", "speech", "noise alone", "all"]
    assert found["snr_mae_db"] == 2.0  # of the one window whose snr is one
    assert found["windows"] != same["windows"]  # a table of its own for each file
    arrays["snr"][3:] = 99  # decibels are of no use to a situation
    np.savez(tmp_path / "t.npz", **arrays, situation=np.full(6, "speech"))
    (found,) = score_windows([tmp_path / "t.npz"], [scorer])
    assert list(found["auc"]) == ["speech", "all"]
    assert "snr_mae_db" not in found
    for wrong in (situation[:5], np.arange(6), situation.astype(object)):
        np.savez(tmp_path / "bad.npz", **arrays, situation=wrong)
        with pytest.raises(InputError, match=r"situation|pickle"):
            list(score_windows([tmp_path / "bad.npz"], [scorer]))
    np.savez(tmp_path / "bad.npz", x=arrays["x"])
    with pytest.raises(InputError, match="it needs the arrays x, y and snr"):
        list(score_windows([tmp_path / "bad.npz"], [scorer]))


def test_the_report_has_intervals_and_streams(run, toy_set: Path, tmp_path: Path):
    done = run("evaluate", toy_set, "--count", 20, "-o", tmp_path / "report", timeout=200)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    figures = result["scorers"][DEFAULT]
    kinds = ("auc", "live", "conditions", "balanced_accuracy", "clean_called_noisy")
    for value, low, high in (spread for kind in kinds for spread in figures[kind].values()):
        assert 0 <= low <= value <= high <= 1
    assert set(figures["conditions"]) == set(CONDITIONS) - {"room"}  # the toy set has none
    assert figures["streams"]["clean_minutes"] > 0.3
    assert figures["streams"]["noises"] > 0
    text = (tmp_path / "report.md").read_text()
    assert f"| {DEFAULT} |" in text
    assert "nan" not in text
    assert run("evaluate", toy_set, "--split", "exam").returncode == 2


def test_what_is_not_known_is_null_and_a_dash(catalogue: Catalogue):
    scorers = [Scorer("mute", lambda samples: Judgement(None), threshold=0.5)]
    result = report.report(catalogue, scorers, count=10, seed=0)
    json.loads(json.dumps(result), parse_constant=pytest.fail)
    text = markdown.of_report({"split": "train", **result})
    assert "| mute | - |" in text
    assert "nan" not in text


def test_the_same_item_has_the_same_samples(catalogue: Catalogue):
    items = testset.draw(catalogue, 20, seed=1)
    assert items == testset.draw(catalogue, 20, seed=1)
    for item in items:
        samples = testset.rendered(item, catalogue, 1)
        np.testing.assert_array_equal(samples, testset.rendered(item, catalogue, 1))
        assert np.abs(samples).max() <= 1
    (first, *_) = testset.streams(catalogue, 1, noisy=True)
    assert all(end - onset >= 1 for onset, end in first.noises)


def test_figures_of_merit():
    assert poisson_interval(0) == (0.0, pytest.approx(3.689, abs=1e-3))
    assert poisson_interval(3) == (pytest.approx(0.619, abs=1e-3), pytest.approx(8.767, abs=1e-3))
    assert wilson_interval(0, 38) == (0.0, pytest.approx(0.0918, abs=1e-3))
    assert wilson_interval(5, 10) == (pytest.approx(0.2366, abs=1e-3), pytest.approx(0.7634, abs=1e-3))
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert spearman([1, 2, 2], [3, 1, 1]) == pytest.approx(-1)
    assert reliability([0.25, 0.25, 0.25, 0.25], [True, False, False, False])[0] == pytest.approx(0.25)
    low, high = clustered(lambda chosen: float(len(set(chosen.tolist()))), ["a", "a", "b"])
    assert (low, high) == (1, 3)


@pytest.mark.extras
def test_models_lists_what_ships_and_what_can_be_trained(run):
    from noisewatch.training.nets import NETS

    found = {n["name"]: n for n in map(json.loads, run("models", "--json").stdout.splitlines())}
    assert set(found) >= set(NETS)
    assert [n["name"] for n in found.values() if n["default"]] == [DEFAULT]
    assert found[DEFAULT]["ms"] > 0
    assert found["bcresnet16"]["parameters"] > found["bcresnet8"]["parameters"] > 320_000
    shipped = {name for name, network in found.items() if network["shipped"]}
    assert all(0.9 < found[name][figure] < 1 for name in shipped for figure in ("auc", "live"))
    assert all(found[name]["auc"] is None for name in set(NETS) - shipped)  # an AUC belongs to weights
    table = CliRunner().invoke(app, "models", env={"COLUMNS": "160"}).stdout
    assert DEFAULT in table
    assert "from each model's report on the test split" in table  # the fixed windows of README give others
    narrow = CliRunner().invoke(app, "models", env={"COLUMNS": "80"}).stdout
    assert all(name in narrow for name in found)
    auc, live = (f"{found[DEFAULT][figure]:.3f}".removeprefix("0") for figure in ("auc", "live"))
    page = " ".join((ROOT / "docs" / "evaluation.md").read_text().split())
    assert f"their AUC: for `{DEFAULT}`, {auc} at 0-20 dB and {live} over everything." in page
