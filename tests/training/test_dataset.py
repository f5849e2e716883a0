"""Windows by number: replayed by a seed, stored in the cache, with the teachers' estimates."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from runs import write_model

from noisewatch import ModelError
from noisewatch.core.model import Model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.training.dataset import TEACHER_WEIGHT, Windows, batches
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
    assert targets.shape == (4, 9)
    assert tracks.shape == (4, 2, 150)


def test_cached_windows_equal_drawn_ones(catalogue: Catalogue, tmp_path: Path, monkeypatch):
    drawn, first = Windows(catalogue, 3, 8, SCENES), Windows(catalogue, 3, 8, SCENES, tmp_path)
    for n in (5, 0):
        for a, b in zip(drawn[n], first[n], strict=True):
            np.testing.assert_array_equal(a, b)
    assert drawn[5][0].isfinite().all()
    cached = Windows(catalogue, 3, 8, SCENES, tmp_path)
    monkeypatch.setattr(Windows, "window", lambda self, n: pytest.fail(f"drew window {n} again"))
    for a, b in zip(first[5], cached[5], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(pytest.fail.Exception):
        cached[1]  # between two that are cached
    with pytest.raises(pytest.fail.Exception):
        Windows(catalogue, 4, 8, SCENES, tmp_path)[5]  # of another seed
    (file,) = tmp_path.rglob("*.windows")
    file.write_bytes(file.read_bytes()[:-7])  # torn off
    with pytest.raises(pytest.fail.Exception):
        cached[5]
    cached[0]


@pytest.fixture
def teachers(tmp_path: Path) -> Teachers:
    """Two networks without any learning."""
    return Teachers([str(write_model(tmp_path / f"{name}.onnx", name)) for name in ("dense", "tcn")])


def test_targets_hold_the_teachers_estimates(
    catalogue: Catalogue, teachers: Teachers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plain = Windows(catalogue, 3, 8, SCENES)
    assert pickle.loads(pickle.dumps(teachers)).digest == teachers.digest
    logmel, reference, label, _ = plain[5]
    estimate = teachers(logmel.numpy(), float(reference))
    half = Windows(catalogue, 3, 8, SCENES, tmp_path, teachers, 0.5)[5][2]
    assert half[TEACHER_WEIGHT:].tolist() == pytest.approx([0.5, *estimate])
    assert label[TEACHER_WEIGHT:].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(half[:TEACHER_WEIGHT], label[:TEACHER_WEIGHT])
    monkeypatch.setattr(Model, "__call__", lambda *_: pytest.fail("called the teachers again"))
    np.testing.assert_array_equal(Windows(catalogue, 3, 8, SCENES, tmp_path, teachers, 0.5)[5][2], half)
    alone, unweighted = (Windows(catalogue, 3, 8, SCENES, tmp_path, *more) for more in ((), (teachers, 0.0)))
    for undistilled in (alone, unweighted):
        np.testing.assert_array_equal(undistilled[5][2], label)
    np.testing.assert_array_equal(plain[13][0], plain[5][0])  # eight are drawn, and repeat
    with pytest.raises(ModelError, match="unknown model 'mhat'"):
        Teachers(["mhat"])
