"""Baselines: which are installed, and that each ranks noisy speech above clean speech."""

from __future__ import annotations

import numpy as np
import pytest

from noisewatch.evaluation.baselines import installed
from noisewatch.evaluation.scorers import distinct_names, level_statistic

ALWAYS = ("level of the quietest tenth", "WADA-SNR")


def test_noisy_speech_scores_higher_than_clean_speech(voice: np.ndarray, noisy_voice: np.ndarray):
    found, _ = installed(None)
    for scorer in (*found, level_statistic()):
        clean, noisy = (scorer.judge(x[:48_000]).noise for x in (voice, noisy_voice))
        assert clean is not None
        assert noisy is not None
        assert noisy > clean, scorer.name


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_wada_is_right_where_its_model_of_speech_holds(snr_db: float):
    rng = np.random.default_rng(1)
    speech = rng.gamma(0.4, 1.0, 48_000) * rng.choice([-1, 1], 48_000)
    noise = rng.standard_normal(48_000) * np.sqrt((speech**2).mean()) * 10 ** (-snr_db / 20)
    wada = next(scorer for scorer in installed(None)[0] if scorer.name == "WADA-SNR")
    assert wada.judge((0.01 * (speech + noise)).astype(np.float32)).snr_db == pytest.approx(snr_db, abs=1)


def test_baselines_that_are_not_installed_are_named():
    found, missing = installed(None)
    names = [scorer.name for scorer in found]
    assert tuple(names[:2]) == ALWAYS
    assert len(found) - len(ALWAYS) + len(missing) == 4  # three packages, and DNSMOS
    assert all("is left out" in message for message in missing)


def test_ambiguous_names_stay_distinct():
    names = distinct_names(["duo", "a/duo.onnx", "b/tcn.onnx"], lambda path: path.stem)
    assert names == {"duo": "duo", "a/duo.onnx": "a/duo.onnx", "b/tcn.onnx": "tcn"}
