"""Scores on fixed windows, from the command and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import noisewatch
from noisewatch.core.shipped import DEFAULT, find_model
from noisewatch.errors import InputError, UsageError
from noisewatch.evaluation.scorers import Judgement, Scorer
from noisewatch.evaluation.windows import score_windows


@pytest.fixture
def windows(tmp_path: Path, voice: np.ndarray, noisy_voice: np.ndarray) -> Path:
    """Three clean windows and three noisy ones, without situations."""
    x = np.stack([w[i : i + 48_000] for w in (voice, noisy_voice) for i in (0, 8_000, 16_000)])
    pcm = np.round(x.clip(-1, 1) * 32767).astype(np.int16)
    np.savez(tmp_path / "w.npz", x=pcm, y=np.repeat([0, 1], 3), snr=np.repeat([99.0, 10.0], 3))
    return tmp_path / "w.npz"


def test_evaluate_scores_windows(invoke, tmp_path: Path, windows: Path):
    """Two models with the same file name have separate scores."""
    (tmp_path / "duo.onnx").write_bytes(find_model(DEFAULT).read_bytes())
    models = ("--model", DEFAULT, "--model", tmp_path / "duo.onnx")
    done = invoke("evaluate", "--windows", windows, "--json", *models)
    assert done.returncode == 0, done.stderr
    model, file, statistic = map(json.loads, done.stdout.splitlines())
    assert statistic["auc"]["10 dB"] == 1.0
    assert (model["scorer"], file["scorer"]) == (DEFAULT, str(tmp_path / "duo.onnx"))
    assert model["auc"] == file["auc"] == {"10 dB": 1.0, "all": 1.0}  # "10 dB", not "10.0 dB"
    assert model["snr_mae_db"] < 10
    done = invoke("evaluate", "--windows", windows, "-o", tmp_path / "fixed")
    assert done.returncode == 0, done.stderr
    assert [r["scorer"] for r in json.loads((tmp_path / "fixed.json").read_text())] == [
        DEFAULT,
        statistic["scorer"],
    ]
    assert f"| {DEFAULT} | 1.000 | 1.000 |" in (tmp_path / "fixed.md").read_text()


def test_windows_are_grouped_by_situation(tmp_path: Path, windows: Path):
    arrays = dict(np.load(windows))
    situation = np.array(["quiet room", "speech", "speech", "mix", "speech", "noise alone"])
    np.savez(tmp_path / "s.npz", **arrays, situation=situation)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "s.npz").write_bytes((tmp_path / "s.npz").read_bytes())
    scorer = Scorer("loud", lambda samples: Judgement(float(np.abs(samples).mean()), 12.0), threshold=0.5)
    found, same = score_windows([tmp_path / "s.npz", tmp_path / "other" / "s.npz"], [scorer])
    assert list(found.auc) == ["10 dB", "speech", "noise alone", "all"]
    assert found.snr_mae_db == 2.0  # from the one noisy window with an SNR
    assert found.windows != same.windows  # each file has its own table
    arrays["snr"][3:] = 99  # with a situation, the SNR is ignored
    np.savez(tmp_path / "t.npz", **arrays, situation=np.full(6, "speech"))
    (found,) = score_windows([tmp_path / "t.npz"], [scorer])
    assert list(found.auc) == ["speech", "all"]
    assert found.snr_mae_db is None
    assert "snr_mae_db" not in found.json()
    for wrong in (situation[:5], np.arange(6), situation.astype(object)):
        np.savez(tmp_path / "bad.npz", **arrays, situation=wrong)
        with pytest.raises(InputError, match=r"situation|pickle"):
            list(score_windows([tmp_path / "bad.npz"], [scorer]))
    np.savez(tmp_path / "bad.npz", x=arrays["x"])
    with pytest.raises(InputError, match="it needs the arrays x, y and snr"):
        list(score_windows([tmp_path / "bad.npz"], [scorer]))


def test_from_python(windows: Path):
    tcn, statistic = noisewatch.evaluate(windows=windows, models={"mine": find_model("tcn")})
    assert (tcn.scorer, tcn.clean, tcn.noisy, tcn.unjudged) == ("mine", 3, 3, 0)
    assert tcn.auc["10 dB"] == statistic.auc["all"] == 1.0
    assert statistic.balanced_accuracy is None  # it has no threshold
    assert [s.scorer for s in noisewatch.evaluate(windows=windows, models="tcn")] == ["tcn", statistic.scorer]
    skipped: list[str] = []
    scores = noisewatch.evaluate(windows=[windows], models=[], baselines=True, on_skip=skipped.append)
    names = [s.scorer for s in scores]
    assert {"level of the quietest tenth", "WADA-SNR"} <= set(names)
    assert "DNSMOS is left out" in skipped[-1]
    with pytest.raises(UsageError, match="either data or windows"):
        noisewatch.evaluate()  # type: ignore[call-overload]
    with pytest.raises(InputError, match="cannot read"):
        noisewatch.evaluate(windows=[windows], baselines=True, dnsmos="nothing.onnx")
    (windows.parent / "text.onnx").write_text("no model")
    for wrong, message in ((windows.parent / "text.onnx", "not an ONNX model"), (find_model("tcn"), "not DNSMOS")):
        with pytest.raises(InputError, match=message):
            noisewatch.evaluate(windows=[windows], baselines=True, dnsmos=wrong)


def test_figures_without_judged_windows_are_null(windows: Path):
    mute = Scorer("mute", lambda samples: Judgement(None), threshold=0.5)
    (found,) = score_windows([windows], [mute])
    assert (found.clean, found.noisy, found.unjudged) == (0, 0, 6)
    assert json.loads(json.dumps(found.json()), parse_constant=pytest.fail)["auc"] == {"all": None}


def test_evaluate_needs_no_torch(run, tmp_path: Path, windows: Path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    done = run("evaluate", "--windows", windows, "--json", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    done = run("evaluate", "--windows", windows, "--model", "a-run.pt", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2  # a checkpoint needs torch
    assert "pip install '.[train]'" in done.stderr
