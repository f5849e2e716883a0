"""Synthetic noise."""

from __future__ import annotations

import numpy as np

from noisewatch.audio.levels import active_seconds
from noisewatch.corpus import synthetic
from noisewatch.corpus.config import SceneConfig


def test_a_seed_reproduces_a_call():
    for seed in range(20):
        call, again = (synthetic.calls(np.random.default_rng(seed), SceneConfig()) for _ in range(2))
        np.testing.assert_array_equal(call, again)
        assert call.shape == (48_000,)
        assert np.isfinite(call).all()
        assert active_seconds(call / np.abs(call).max()) > 0
