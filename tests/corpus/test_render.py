"""Rendered scenes and their labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noisewatch.audio.levels import active_seconds, snr_db
from noisewatch.corpus import channel, render
from noisewatch.corpus.catalogue import Catalogue, Recording
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import Row
from noisewatch.corpus.scene import Noise, Take, draw_scene
from noisewatch.corpus.tracks import SHORTEST_NOISE_S, noise_track

SCENES = SceneConfig()


def test_the_mix_has_the_snr_of_the_scene(catalogue: Catalogue):
    checked = 0
    for n in range(300):
        scene = draw_scene(np.random.default_rng(n), catalogue, SCENES)
        if scene.voice is None or scene.noise is None or scene.mic.agc_db:
            continue
        voice, noise, floor = render.tracks(scene, catalogue, SCENES)
        assert snr_db(voice, noise) == pytest.approx(scene.snr_db, abs=0.1)
        assert snr_db(voice, floor) > 35
        checked += 1
    assert checked > 100


def test_labels_follow_the_definition(catalogue: Catalogue):
    for n in range(400):
        scene = draw_scene(np.random.default_rng(n), catalogue, SCENES)
        window = render.render(scene, catalogue, SCENES)
        assert window.samples.shape == (48_000,)
        assert np.isfinite(window.samples).all()
        assert np.abs(window.samples).max() <= 1.5  # lossy codecs and resamplers overshoot
        assert window.voice == (scene.voice is not None)
        if scene.mic.agc_db:  # an AGC changes the SNR
            continue
        if scene.snr_db is None or scene.snr_db >= 40:
            assert window.noisy == 0
        elif scene.snr_db <= 20:
            assert window.noisy == 1
        else:
            assert 0 < window.noisy < 1
            assert window.noisy_weight < 1


def test_short_noise_is_not_scored(catalogue: Catalogue):
    row = Row("x.wav", "noise", "s", "g", 3.0, "train", "yes", None, "CC0")
    hiss = (channel.coloured_noise(np.random.default_rng(0), 0.0) * 3000).astype(np.int16)
    noise = Noise("recording", (Take(0),), (0.0,), "events", None)
    scene = draw_scene(np.random.default_rng(0), catalogue, SCENES)
    scene = replace(scene, voice=Take(0), room=None, noise=noise, snr_db=10.0, zeros=(0.0, 0.0))
    for length, weight in ((3_000, 0.0), (8_000, 1.0)):  # 0.19 s, 0.5 s
        burst = Recording(row, np.where(np.arange(48_000) < length, hiss, 0).astype(np.int16))
        window = render.render(scene, Catalogue(catalogue.speech, [burst], []), SCENES)
        assert window.noisy_weight == weight


@pytest.mark.parametrize("shape", ["steady", "onset", "offset", "events", "gated"])
@pytest.mark.parametrize("kind", ["impacts", "calls"])
def test_shaping_leaves_enough_noise_to_be_scored(kind: str, shape: str, catalogue: Catalogue):
    for seed in range(12):
        scene = draw_scene(np.random.default_rng(seed), catalogue, SCENES)
        noise = Noise(kind, (), (), shape, None)
        scene = replace(scene, voice=Take(0), room=None, noise=noise, snr_db=10.0, seed=seed)
        _, heard, _ = render.tracks(replace(scene, mic=replace(scene.mic, agc_db=0.0)), catalogue, SCENES)
        assert active_seconds(heard / np.abs(heard).max()) >= SHORTEST_NOISE_S


def test_an_excerpt_of_a_noise_is_audible():
    row = Row("x.wav", "noise", "s", "g", 60.0, "train", "yes", None, "CC0")
    click, rain = np.zeros(30 * 16_000), np.ones(30 * 16_000)  # 30 s each
    click[::32_000] = 1.0
    hiss = np.random.default_rng(0).normal(0, 3000, 60 * 16_000) * np.concatenate([click, rain])
    catalogue = Catalogue([], [Recording(row, hiss.astype(np.int16))], [])
    noise = Noise("recording", (Take(0),), (0.0,), "steady", None)
    tracks = [noise_track(noise, catalogue, np.random.default_rng(seed), SCENES) for seed in range(20)]
    heard = [active_seconds(track / np.abs(track).max()) >= SHORTEST_NOISE_S for track in tracks]
    assert sum(heard) >= 18  # half of the draws hit the clicks, and up to five are made
