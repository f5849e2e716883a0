"""Rendered scenes and their labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from noisewatch.audio.highpass import high_passed
from noisewatch.audio.levels import active_power, active_seconds, dbfs, frame_power, snr_db
from noisewatch.audio.logmel import LogMel
from noisewatch.corpus import channel, render
from noisewatch.corpus.catalogue import Catalogue, Recording
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import Row
from noisewatch.corpus.scene import Noise, Take, draw_scene
from noisewatch.corpus.tracks import SHORTEST_NOISE_S, noise_track

SCENES = SceneConfig()


def test_the_mix_has_the_snr_of_the_scene(catalogue: Catalogue):
    noises = [replace(r, row=replace(r.row, sound="human")) for r in catalogue.noise]
    sounding = Catalogue(catalogue.speech, noises, catalogue.rooms)
    checked: Counter[str] = Counter()
    for n in range(300):
        scene = draw_scene(np.random.default_rng(n), sounding, SCENES)
        if scene.voice is None or scene.noise is None or scene.mic.agc_db:
            continue
        voice, noise, floor = render.tracks(scene, sounding, SCENES)
        assert snr_db(voice, noise) == pytest.approx(scene.snr_db, abs=0.1)
        assert snr_db(voice, floor) > 35
        checked.update([scene.noise.kind] + ["sound"] * any(take.gap_s for take in scene.noise.takes))
    assert checked.total() > 100
    assert checked["second voice"] > 5
    assert checked["sound"] > 5


def test_labels_follow_the_definition(catalogue: Catalogue):
    for n in range(400):
        scene = draw_scene(np.random.default_rng(n), catalogue, SCENES)
        window = render.render(scene, catalogue, SCENES)
        assert window.samples.shape == (48_000,)
        assert np.isfinite(window.samples).all()
        assert np.abs(window.samples).max() <= 1.5  # lossy codecs and resamplers overshoot
        assert window.voice == (scene.voice is not None)
        assert window.floor_only == (scene.snr_db is None)
        if scene.snr_db is None:
            assert window.snr_db > 30
        elif scene.voice is None or (not scene.mic.agc_db and scene.zeros[0] == scene.zeros[1]):
            assert window.snr_db <= scene.snr_db


def test_short_noise_is_not_scored(catalogue: Catalogue):
    row = Row("x.wav", "noise", "s", "g", 3.0, "train", "yes", None, "CC0")
    hiss = (channel.coloured_noise(np.random.default_rng(0), 0.0) * 3000).astype(np.int16)
    noise = Noise("recording", (Take(0),), (0.0,), "events", None)
    scene = draw_scene(np.random.default_rng(0), catalogue, SCENES)
    scene = replace(scene, voice=Take(0), room=None, noise=noise, snr_db=10.0, zeros=(0.0, 0.0))
    for length, weight in ((3_000, 0.0), (8_000, 1.0)):  # 0.19 s, 0.5 s
        burst = Recording(row, np.where(np.arange(48_000) < length, hiss, 0).astype(np.int16))
        window = render.render(scene, Catalogue(catalogue.speech, [burst], []), SCENES)
        assert window.weight == weight


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


def test_a_single_word_in_a_quiet_room_is_a_clean_voice(catalogue: Catalogue):
    words = 0
    for n in range(400):
        scene = draw_scene(np.random.default_rng(n), catalogue, SCENES)
        if scene.word is None or scene.zeros != (0.0, 0.0):
            continue
        window = render.render(scene, catalogue, SCENES)
        assert window.voice
        assert window.floor_only
        assert window.weight in (1, 0.3)  # 0.3: 8 bits
        assert window.snr_db > 46
        if scene.mic.agc_db or scene.room is not None:
            continue
        voice, _, floor = render.tracks(scene, catalogue, SCENES)
        power = frame_power(voice + floor)
        assert 0.05 <= active_seconds(voice) <= scene.word.length_s + 0.3
        assert dbfs(active_power(power)) - dbfs(float(np.median(power))) > 40
        words += 1
    assert words >= 3


@pytest.mark.parametrize(("dc", "drift", "lowest"), [(1.5, 0.0, 0), (0.0, 0.5, 2)])
def test_dc_and_infrasound_are_gone_after_the_high_pass(dc: float, drift: float, lowest: int, catalogue: Catalogue):
    for n in range(20):
        scene = draw_scene(np.random.default_rng(n), catalogue, SCENES)
        still, moved = (
            render.render(replace(scene, voice=Take(0), mic=replace(scene.mic, **chain)), catalogue, SCENES)
            for chain in ({"dc": 0.0, "drift": 0.0}, {"dc": dc, "drift": drift, "drift_hz": 10.0})
        )
        assert np.abs(moved.samples - still.samples).max() > 1e-4
        for name in ("snr_db", "floor_only", "weight", "voice", "reference_dbfs"):
            assert getattr(moved, name) == getattr(still, name)
        np.testing.assert_array_equal(moved.tracks_db, still.tracks_db)
        before, after = (LogMel().feed(high_passed(w.samples))[:, lowest:] for w in (still, moved))
        assert np.abs(after - before)[before > before.max() - 9].max() < 0.1  # within 40 dB of the loudest band


def test_a_soft_limiter_raises_the_floor_of_a_voice(catalogue: Catalogue):
    for n in range(12):
        scene = draw_scene(np.random.default_rng(n), catalogue, SCENES)
        mic = replace(scene.mic, floor_db=80.0, agc_db=0.0, clip_db=0.0)
        scene = replace(scene, voice=Take(0), noise=None, snr_db=None, word=None, zeros=(0.0, 0.0), mic=mic)
        whole, soft = (replace(scene, limiter_db=ceiling_db) for ceiling_db in (None, 0.0))
        peaks = [np.abs(render.tracks(s, catalogue, SCENES)[0]).max() for s in (whole, soft)]
        assert peaks[1] < peaks[0]
        lost_db = [render.render(s, catalogue, SCENES).snr_db for s in (whole, soft)]
        assert 1 < lost_db[0] - lost_db[1] < 9


def test_shaping_never_leaves_only_the_silence_around_a_sound(catalogue: Catalogue):
    row = Row("x.wav", "noise", "s", "g", 3.0, "train", "yes", None, "CC0")
    bark = np.random.default_rng(0).normal(0, 3000, 49_000) * (np.abs(np.arange(49_000) - 44_000) < 3_500)
    known = Catalogue(catalogue.speech, [Recording(row, bark.astype(np.int16))], [])
    noise = Noise("recording", (Take(0),), (0.0,), "offset", None)
    for n in range(12):
        scene = draw_scene(np.random.default_rng(n), known, SCENES)
        mic = replace(scene.mic, agc_db=0.0)
        scene = replace(scene, voice=Take(0), room=None, noise=noise, snr_db=10.0, mic=mic)
        _, heard, _ = render.tracks(scene, known, SCENES)
        assert (heard[38_000:] ** 2).sum() > 0.9 * (heard**2).sum()
