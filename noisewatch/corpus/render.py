"""Scenes rendered to labelled windows: speech and noise mixed as waveforms at a known SNR.

Deterministic: the same scene, catalogue and configuration give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..audio import levels
from ..audio.signal import WINDOW, Samples
from . import channel
from .catalogue import Catalogue
from .channel import Room
from .config import SceneConfig
from .scene import Noise, Scene
from .tracks import long_enough, noise_track, shaped, voice_track, word_track

CUT_LEVEL = 0.01  # least level of a shaped noise, relative to the whole
NOISY_DB = 20.0  # a window is noisy at or below this SNR, and clean at or above catalogue.CLEAN_DB
NOW = 25  # frames of 20 ms: the last 0.5 s
NO_NOISE_DB = 60.0
COARSE_WEIGHT = 0.3  # of windows whose quantisation hiss is neither clean nor noise in the room


@dataclass(frozen=True)
class Window:
    """A rendered scene and its labels."""

    samples: Samples  # (48000,) float32 at 16 kHz
    reference_dbfs: float
    snr_db: float  # voice over everything else; without a voice: reference level over everything else
    floor_only: (
        bool  # no noise was added: snr_db is that of the recording's and the microphone's floor, an estimate
    )
    weight: float  # 0: not scored
    voice: bool  # someone is speaking
    tracks_db: Samples  # (2, 150) levels of the voice and of the rest every 20 ms, dB re the window's loudest tenth
    now_db: float  # SNR of the noise in the last 0.5 s, `NO_NOISE_DB` if there is none
    sound: str  # kind of sound of the noise, empty if not known, if there are several, or if it is not noisy


def tracks(scene: Scene, catalogue: Catalogue, config: SceneConfig) -> tuple[Samples, Samples, Samples]:
    """Voice, noise and microphone floor of a scene at their levels, each (48000,)."""
    return _tracks(scene, catalogue, config)[:3]


def _tracks(scene: Scene, catalogue: Catalogue, config: SceneConfig) -> tuple[Samples, Samples, Samples, float]:
    """The tracks, and by how much limiter and AGC raised the voice's own floor relative to the voice, dB."""
    raised_db = 0.0
    rng = np.random.default_rng(scene.seed)
    mic, curve = scene.mic, channel.microphone_curve(scene.mic)
    voice = noise = np.zeros(WINDOW, np.float32)
    if scene.voice is not None:
        recording = catalogue.speech[scene.voice.index]
        if scene.word:
            voice = word_track(recording, scene.voice, scene.word, rng)
        else:
            voice = voice_track(recording, scene.voice, scene.dense, rng, config.voice)
        voice = channel.filtered(voice, channel.tilted(curve, scene.effort_db), _response(scene.room, catalogue))
        if scene.limiter_db is not None:
            voice, whole = channel.limited(voice, scene.limiter_db), voice
            raised_db += levels.snr_db(whole, voice)
        voice = channel.at_level(voice, scene.voice_dbfs)
    if scene.noise is not None and scene.snr_db is not None:
        noise = noise_track(scene.noise, catalogue, rng, config)
        noise = channel.filtered(noise, curve, _response(scene.noise.room, catalogue))
        cut = shaped(noise, scene.noise.shape, voice, rng, config.shape)
        # Shaping must not make a noise too short to be scored, nor leave only the silence around it.
        if long_enough(cut) and levels.active_rms(cut) > CUT_LEVEL * levels.active_rms(noise):
            noise = cut
        noise = channel.at_level(noise, scene.voice_dbfs - scene.snr_db)
    floor = channel.coloured_noise(rng, mic.floor_slope, channel.band_curve(mic) if mic.floor_limited else None)
    floor *= np.float32(10 ** ((scene.voice_dbfs - mic.floor_db) / 20))
    if mic.agc_db:
        gain = channel.automatic_gain(voice + noise + floor, mic.agc_db)
        raised_db += levels.snr_db(voice, floor) - levels.snr_db(voice * gain, floor * gain)
        voice, noise, floor = voice * gain, noise * gain, floor * gain
    return voice, noise, floor, raised_db


def render(scene: Scene, catalogue: Catalogue, config: SceneConfig) -> Window:
    """Render a scene to samples and labels."""
    voice, noise, floor, raised_db = _tracks(scene, catalogue, config)
    floors_db = [levels.snr_db(voice, floor) if scene.voice else scene.mic.floor_db]
    if scene.voice is not None:
        own_db = scene.word.floor_db if scene.word else catalogue.speech[scene.voice.index].floor_db
        floors_db.append(own_db - raised_db)
    mixed = channel.clipped(voice + noise + floor, scene.mic.clip_db)
    mixed = channel.coded(np.clip(mixed, -1, 1), scene.mic.coding)
    a, b = (int(edge * WINDOW) for edge in scene.zeros)
    mixed[a:b] = voice[a:b] = noise[a:b] = floor[a:b] = 0.0
    scored = True
    if scene.noise is not None:
        scored = long_enough(noise)
        if scene.voice is not None and (scene.mic.agc_db or a < b):
            scene = replace(scene, snr_db=levels.snr_db(voice, noise))  # they changed it
    tracks_db = _over_time(np.stack([voice, noise + floor]), mixed)
    now_db = _now_db(scene, voice, noise)
    if scene.mic.dc or scene.mic.drift:  # inaudible, so levels and labels are without it
        mixed = mixed + channel.infrasound(scene.mic, scene.voice_dbfs, np.random.default_rng([scene.seed, 1]))
    sound = _sound(scene.noise, catalogue) if scene.snr_db is not None and scene.snr_db <= NOISY_DB else ""
    return _labelled(scene, mixed, floors_db, scored, tracks_db, now_db, sound)


def _now_db(scene: Scene, voice: Samples, noise: Samples) -> float:
    """SNR of the noise in the last 0.5 s: of the voice of the window, or of the reference level without one."""
    power = levels.frame_power(noise)[-NOW:]
    if not power.max() > 0:
        return NO_NOISE_DB
    voice_dbfs = (
        levels.dbfs(levels.active_power(levels.frame_power(voice))) if scene.voice else scene.reference_dbfs
    )
    return min(NO_NOISE_DB, voice_dbfs - levels.dbfs(levels.active_power(power)))


def _sound(noise: Noise | None, catalogue: Catalogue) -> str:
    """The kind of sound of a noise; empty if it is synthetic, or of several kinds."""
    if noise is None or not noise.takes:
        return ""
    sounds = {"voices" if noise.spoken else catalogue.noise[take.index].row.sound for take in noise.takes}
    return sounds.pop() if len(sounds) == 1 else ""


def _over_time(tracks: Samples, mixed: Samples) -> Samples:
    """Levels (n, 150) of tracks (n, 48000) every 20 ms, dB re the loudest tenth of `mixed` (48000,)."""
    power = levels.frame_power(mixed)
    loud = np.sort(power)[-len(power) // 10 :].mean() + 1e-12
    return np.stack([10 * np.log10(levels.frame_power(t) / loud + 1e-8) for t in tracks]).astype(np.float32)


def _labelled(
    scene: Scene,
    samples: Samples,
    floors_db: list[float],
    scored: bool,
    tracks_db: Samples,
    now_db: float,
    sound: str,
) -> Window:
    snr = scene.snr_db
    below_db = [*floors_db, *([] if snr is None else [snr])]
    coarse = scene.mic.coding in ("8bit", "mulaw") and (snr is None or snr > NOISY_DB)
    return Window(
        samples=np.asarray(samples, np.float32),
        reference_dbfs=scene.reference_dbfs,
        snr_db=-10 * float(np.log10(sum(10 ** (-each / 10) for each in below_db))),
        floor_only=snr is None,
        weight=(COARSE_WEIGHT if coarse else 1.0) if scored else 0.0,
        voice=scene.voice is not None,
        tracks_db=tracks_db,
        now_db=now_db,
        sound=sound,
    )


def _response(room: Room | None, catalogue: Catalogue) -> Samples | None:
    return None if room is None else channel.room_response(room, catalogue.rooms[room.index])
