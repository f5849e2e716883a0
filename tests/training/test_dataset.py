"""Windows by number: replayed by a seed, stored in the cache, blended with the teachers' outputs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from noisewatch import ModelError
from noisewatch.core.model import Model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.training.dataset import NOISY, NOISY_WEIGHT, SNR, Windows, batches
from noisewatch.training.distill import Teachers

SCENES = SceneConfig()


def test_a_seed_replays_every_window(catalogue: Catalogue):
    first, again, other = (Windows(catalogue, seed, 8, SCENES) for seed in (3, 3, 4))
    for n in (0, 5):
        np.testing.assert_array_equal(first.window(n).samples, again.window(n).samples)
        assert not np.array_equal(first.window(n).samples, other.window(n).samples)
    logmel, reference, targets, tracks = next(batches(first, 4, 1, 2, workers=0))
    assert logmel.shape == (4, 298, 40)
    np.testing.assert_array_equal(logmel[1], first[5][0])
    assert reference.shape == (4,)
    assert targets.shape == (4, 5)
    assert tracks.shape == (4, 2, 150)


def test_windows_that_were_kept_are_those_that_were_drawn(catalogue: Catalogue, tmp_path: Path, monkeypatch):
    drawn, keeping = Windows(catalogue, 3, 8, SCENES), Windows(catalogue, 3, 8, SCENES, tmp_path)
    for n in (5, 0):
        for a, b in zip(drawn[n], keeping[n], strict=True):
            np.testing.assert_array_equal(a, b)
    assert drawn[5][0].isfinite().all()
    kept = Windows(catalogue, 3, 8, SCENES, tmp_path)
    monkeypatch.setattr(Windows, "window", lambda self, n: pytest.fail(f"drew window {n} again"))
    for a, b in zip(keeping[5], kept[5], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(pytest.fail.Exception):
        kept[1]  # between two that were kept
    with pytest.raises(pytest.fail.Exception):
        Windows(catalogue, 4, 8, SCENES, tmp_path)[5]  # of another seed
    (file,) = tmp_path.rglob("*.windows")
    file.write_bytes(file.read_bytes()[:-7])  # torn off
    with pytest.raises(pytest.fail.Exception):
        kept[5]
    kept[0]


def test_teachers_speak_beside_the_labels(catalogue: Catalogue, tmp_path: Path, monkeypatch):
    plain, teachers = Windows(catalogue, 3, 8, SCENES), Teachers(["mhatt", "tcn"])
    assert pickle.loads(pickle.dumps(teachers)).digest == teachers.digest
    logmel, reference, label, _ = plain[5]
    logit, snr_db = teachers(logmel.numpy(), float(reference))
    told = 1 / (1 + np.exp(-logit))
    half = Windows(catalogue, 3, 8, SCENES, tmp_path, teachers, 0.5)[5][2]
    noisy, weight = label[NOISY], label[NOISY_WEIGHT]
    assert half[NOISY_WEIGHT] == pytest.approx(0.5 * weight + 0.5)
    assert half[NOISY] == pytest.approx((0.5 * weight * noisy + 0.5 * told) / half[NOISY_WEIGHT])
    assert half[SNR] == pytest.approx((label[SNR] + snr_db) / 2)
    np.testing.assert_array_equal(half[SNR + 1 :], label[SNR + 1 :])
    monkeypatch.setattr(Model, "__call__", lambda *_: pytest.fail("asked the teachers again"))
    np.testing.assert_array_equal(Windows(catalogue, 3, 8, SCENES, tmp_path, teachers, 0.5)[5][2], half)
    alone, unweighted = (Windows(catalogue, 3, 8, SCENES, tmp_path, *more) for more in ((), (teachers, 0.0)))
    for deaf in (alone, unweighted):
        np.testing.assert_array_equal(deaf[5][2], label)
    np.testing.assert_array_equal(plain[13][0], plain[5][0])  # eight are drawn, and come again
    with pytest.raises(ModelError, match="unknown model 'mhat'"):
        Teachers(["mhat"])
