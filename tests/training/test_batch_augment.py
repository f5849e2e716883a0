"""Augmented batches: replayed by a seed, other voices at the same level, labels that stay true."""

from __future__ import annotations

import numpy as np
import torch

from noisewatch.audio import levels
from noisewatch.audio.logmel import LogMel
from noisewatch.corpus import render, scene
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.training.batch_augment import GAIN_DB, augmented, interpolation, responses

DB = 10 / np.log(10)  # natural-log power -> dB


def test_a_seed_replays_a_batch_and_leaves_the_rest_alone(voice: np.ndarray):
    x = torch.from_numpy(LogMel().feed(voice[:48_000]))[None].repeat(64, 1, 1)
    assert torch.equal(augmented(x, 0.0, 1), x)
    once = augmented(x, 0.5, 1)
    assert torch.equal(once, augmented(x, 0.5, 1))
    assert not torch.equal(augmented(x, 0.5, 2), once)
    changed = (once != x).flatten(1).any(1)
    assert 20 < changed.sum() < 44
    assert torch.equal(once[~changed], x[~changed])
    level = (torch.logsumexp(once, 2) - torch.logsumexp(x, 2)).abs() * DB
    assert level[changed].median() < 1


def test_the_equaliser_has_the_gains_that_it_was_asked_for():
    peak, place = (responses() * DB).max(1)
    torch.testing.assert_close(peak, torch.full((6,), GAIN_DB), atol=0.4, rtol=0)
    assert place.tolist() == sorted(place.tolist())
    assert (responses() * DB).min() > -0.1  # and elsewhere changes nothing


def test_the_mel_axis_is_stretched_linearly():
    ramp = torch.arange(40.0)
    wider = ramp @ interpolation(torch.tensor([[1.0], [1.06], [0.94]]), 40)
    torch.testing.assert_close(wider[0], ramp)
    torch.testing.assert_close(wider[1:, 20], 20.5 * torch.tensor([1.06, 0.94]) - 0.5)
    assert wider.max() == 39


def test_labels_stay_true(catalogue: Catalogue):
    """Voice and noise of a scene, augmented alike: the SNR that the window was labelled with still holds."""
    moved = []
    for n in range(80):
        drawn = scene.draw_scene(np.random.default_rng(n), catalogue, SceneConfig())
        if drawn.voice is not None and drawn.noise is not None:
            tracks = render.tracks(drawn, catalogue, SceneConfig())[:2]
            x = [torch.from_numpy(LogMel().feed(track))[None] for track in tracks]
            before, after = (_snr_db(*pair) for pair in (x, [augmented(part, 1.0, n) for part in x]))
            moved.append(abs(after - before))
    assert len(moved) > 30
    assert np.median(moved) < 1
    assert np.quantile(moved, 0.9) < 2.5


def _snr_db(voice: torch.Tensor, noise: torch.Tensor) -> float:
    powers = [levels.active_power(torch.exp(x[0]).sum(1).numpy()) for x in (voice, noise)]
    return float(10 * np.log10(powers[0] / powers[1]))
