"""Scenes rendered: speech and noise mixed as waveforms at a known SNR, with their labels.

The same scene, catalogue and configuration give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import soxr

from ..audio import levels
from ..audio.signal import SAMPLE_RATE, WINDOW, Samples
from . import channel
from .catalogue import CLEAN_DB, Catalogue, Recording
from .channel import Room
from .config import SceneConfig, ShapeConfig, VoiceConfig
from .draw import Rng, pick
from .scene import Noise, Scene, Take
from .synthetic import SYNTHETIC

NOISY_DB = 20.0  # SNR at or below which a window is noisy; from CLEAN_DB on it is clean
SHORTEST_NOISE_S = 0.3  # noise that sounds for less is not scored


@dataclass(frozen=True)
class Window:
    """A rendered scene and its labels."""

    samples: Samples  # (48000,) float32 at 16 kHz
    reference_dbfs: float
    noisy: float  # 0 clean .. 1 noisy
    noisy_weight: float  # 0: not scored
    snr_db: float
    snr_weight: float
    voice: float  # 1: someone speaks
    tracks_db: Samples  # (2, 150) levels of the voice and of all else every 20 ms, dB re the window's loudest tenth


def tracks(scene: Scene, catalogue: Catalogue, config: SceneConfig) -> tuple[Samples, Samples, Samples]:
    """The voice, the noise and the microphone's own floor of a scene, each (48000,), at their levels."""
    rng = np.random.default_rng(scene.seed)
    mic, curve = scene.mic, channel.microphone_curve(scene.mic)
    voice = noise = np.zeros(WINDOW, np.float32)
    if scene.voice is not None:
        voice = voice_track(catalogue.speech[scene.voice.index], scene.voice, scene.dense, rng, config.voice)
        voice = channel.filtered(voice, channel.tilted(curve, scene.effort_db), _response(scene.room, catalogue))
        voice = channel.at_level(voice, scene.voice_dbfs)
    if scene.noise is not None and scene.snr_db is not None:
        noise = noise_track(scene.noise, catalogue, rng, config)
        noise = channel.filtered(noise, curve, _response(scene.noise.room, catalogue))
        cut = shaped(noise, scene.noise.shape, voice, rng, config.shape)
        noise = cut if _is_heard(cut) else noise  # short sounds are events already
        noise = channel.at_level(noise, scene.voice_dbfs - scene.snr_db)
    floor = channel.coloured_noise(rng, mic.floor_slope) * np.float32(
        10 ** ((scene.voice_dbfs - mic.floor_db) / 20)
    )
    if mic.floor_limited:
        floor = channel.filtered(floor, channel.band_curve(mic), None)
    if mic.agc_db:
        gain = channel.automatic_gain(voice + noise + floor, mic.agc_db)
        voice, noise, floor = voice * gain, noise * gain, floor * gain
    return voice, noise, floor


def render(scene: Scene, catalogue: Catalogue, config: SceneConfig) -> Window:
    """Apply a scene: samples and labels."""
    voice, noise, floor = tracks(scene, catalogue, config)
    if scene.mic.agc_db and scene.noise is not None:
        scene = replace(scene, snr_db=levels.snr_db(voice, noise))  # the gain moved it
    mixed = channel.clipped(voice + noise + floor, scene.mic.clip_db)
    mixed = channel.coded(np.clip(mixed, -1, 1), scene.mic.coding)
    a, b = (int(edge * WINDOW) for edge in scene.zeros)
    mixed[a:b] = voice[a:b] = noise[a:b] = floor[a:b] = 0.0
    scored = True
    if scene.noise is not None:
        scored = _is_heard(noise)
    tracks_db = _over_time(np.stack([voice, noise + floor]), mixed)
    return _labelled(scene, mixed, catalogue, scored, tracks_db)


def _over_time(tracks: Samples, mixed: Samples) -> Samples:
    """Levels of tracks (n, 48000) every 20 ms, dB relative to the loudest tenth of mixed: (n, 150)."""
    power = levels.frame_power(mixed)
    loud = np.sort(power)[-len(power) // 10 :].mean() + 1e-12
    return np.stack([10 * np.log10(levels.frame_power(t) / loud + 1e-8) for t in tracks]).astype(np.float32)


def _labelled(scene: Scene, samples: Samples, catalogue: Catalogue, scored: bool, tracks_db: Samples) -> Window:
    snr, voice = scene.snr_db, scene.voice is not None
    noisy = 0.0 if snr is None else float(np.clip((CLEAN_DB - snr) / (CLEAN_DB - NOISY_DB), 0, 1))
    between = snr is not None and NOISY_DB < snr < CLEAN_DB
    own = [scene.mic.floor_db]
    if scene.voice is not None:
        own.append(catalogue.speech[scene.voice.index].floor_db)
    floor_db = -10 * float(np.log10(sum(10 ** (-f / 10) for f in own)))  # of a window with nothing added
    coarse = scene.mic.coding in ("8bit", "mulaw")  # its hiss is neither clean nor a noise of the room
    return Window(
        samples=np.asarray(samples, np.float32),
        reference_dbfs=scene.reference_dbfs,
        noisy=noisy,
        noisy_weight=(0.3 if between or (coarse and noisy == 0) else 1.0) if scored else 0.0,
        snr_db=floor_db if snr is None else min(snr, floor_db),
        # A muted stretch changes the active level that the SNR was drawn for.
        snr_weight=float(voice and scored and scene.zeros == (0.0, 0.0)) * (0.3 if snr is None else 1.0),
        voice=float(voice),
        tracks_db=tracks_db,
    )


def _response(room: Room | None, catalogue: Catalogue) -> Samples | None:
    return None if room is None else channel.room_response(room, catalogue.rooms[room.index])


def _piece(recording: Recording, speed: float, rng: Rng, loud: bool) -> Samples:
    """Up to 3 s of a recording at a speed; `loud`: where it is near its usual level."""
    need = int(np.ceil(WINDOW * speed)) + 16
    samples = recording.samples
    usual = levels.active_rms(samples[: 40 * SAMPLE_RATE].astype(np.float32)) if loud else 0.0
    for _ in range(4):
        start = int(rng.integers(0, max(1, len(samples) - need + 1)))
        piece = samples[start : start + need].astype(np.float32)
        if not loud or levels.active_rms(piece) > 0.4 * usual:
            break
    if speed != 1.0:
        piece = soxr.resample(piece, SAMPLE_RATE * speed, SAMPLE_RATE, quality="LQ")
    return np.asarray(piece[:WINDOW] / 32767, np.float32)


def voice_track(recording: Recording, take: Take, dense: bool, rng: Rng, config: VoiceConfig) -> Samples:
    """(48000,) of one voice: an excerpt, or a short take over its own floor; `dense`: without pauses."""
    piece = _piece(recording, take.speed, rng, loud=True)
    if dense:
        more = [piece] + [_piece(recording, take.speed, rng, loud=True) for _ in range(2)]
        joined = np.concatenate(more)
        frames = joined[: len(joined) // levels.FRAME * levels.FRAME].reshape(-1, levels.FRAME)
        power = levels.frame_power(joined)
        kept = frames[power > power.max(initial=0) * 10 ** -rng.uniform(*config.dense_decades)].reshape(-1)
        return np.resize(kept, WINDOW)
    if len(piece) >= WINDOW and rng.random() < config.partial_share:  # someone begins to speak, or stops
        piece = piece[: int(rng.uniform(*config.partial_s) * SAMPLE_RATE)]
    if len(piece) >= WINDOW:
        return piece
    track = own_floor(piece, rng)
    start = int(rng.integers(0, WINDOW - len(piece) + 1))
    fade = np.minimum(1, np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / 160)
    track[start : start + len(piece)] *= 1 - fade
    track[start : start + len(piece)] += piece * fade
    return track


def own_floor(samples: Samples, rng: Rng) -> Samples:
    """(48000,) of noise with the spectrum and level of the quietest 0.1 s of samples (n,).

    Digital zeros around a take would teach that zeros mean clean.
    """
    size = 1600
    starts = range(0, max(1, len(samples) - size + 1), size // 2)
    pieces = [samples[a : a + size] for a in starts]
    quiet = min((p for p in pieces if (p**2).mean() > 1e-10), key=lambda p: float((p**2).mean()), default=None)
    if quiet is None:
        return np.zeros(WINDOW, np.float32)
    magnitude = np.abs(np.fft.rfft(quiet * np.hanning(len(quiet)), size))
    magnitude = np.convolve(magnitude, np.ones(9) / 9, "same")
    grid = np.linspace(0, 1, WINDOW // 2 + 1)
    shape = np.interp(grid, np.linspace(0, 1, len(magnitude)), magnitude)
    white = rng.standard_normal((2, len(grid)))
    noise = np.fft.irfft((white[0] + 1j * white[1]) * shape, WINDOW)
    return np.asarray(noise * np.sqrt((quiet**2).mean()) / (noise.std() + 1e-12), np.float32)


def noise_track(noise: Noise, catalogue: Catalogue, rng: Rng, config: SceneConfig) -> Samples:
    """(48000,) of noise, made or its takes summed at their gains; what is too short is drawn again."""
    if noise.kind in SYNTHETIC:
        return _heard(SYNTHETIC[noise.kind], rng, config)
    track = np.zeros(WINDOW, np.float32)
    for take, gain_db in zip(noise.takes, noise.gains_db, strict=True):
        recording = (catalogue.speech if noise.kind == "babble" else catalogue.noise)[take.index]
        piece = _heard(_looped, recording, take.speed, rng, noise.kind == "babble")
        track += piece / (levels.active_rms(piece) + 1e-9) * 10 ** (gain_db / 20)
    return track


def _looped(recording: Recording, speed: float, rng: Rng, loud: bool) -> Samples:
    """A piece (48000,) of a recording; where it is shorter, again and again from anywhere."""
    piece = _piece(recording, speed, rng, loud)
    return np.roll(np.resize(piece, WINDOW), int(rng.integers(WINDOW)) if len(piece) < WINDOW else 0)


def sounding_seconds(noise: Samples) -> float:
    """How long noise (n,) sounds, however loud it is."""
    return levels.active_seconds(noise / (np.abs(noise).max() + 1e-9))


def _is_heard(noise: Samples) -> bool:
    """Whether noise (48000,) sounds for as long as is scored."""
    return sounding_seconds(noise) >= SHORTEST_NOISE_S


def _heard(draw: Callable[..., Samples], *args: Any) -> Samples:
    """The first of five draws that is heard, else the last."""
    for _ in range(5):
        if _is_heard(noise := draw(*args)):
            break
    return noise


def shaped(noise: Samples, shape: str, voice: Samples, rng: Rng, config: ShapeConfig) -> Samples:
    """noise (48000,) as it comes and goes within the window."""
    mask = np.ones(WINDOW, np.float32)
    if shape == "onset":
        mask[: int(rng.uniform(*config.onset) * WINDOW)] = 0
    elif shape == "offset":
        mask[int(rng.uniform(*config.offset) * WINDOW) :] = 0
    elif shape == "events":
        mask[:] = 0
        for _ in range(int(pick(rng, config.events))):
            length = int(rng.uniform(*config.event_s) * SAMPLE_RATE)
            # Where the noise sounds, or anywhere: a bark in its middle, a slice of a fan.
            start = (
                int(np.abs(noise).argmax()) - length // 3
                if rng.random() < config.event_at_peak_share
                else rng.integers(WINDOW)
            )
            start = int(np.clip(start, 0, WINDOW - length))
            mask[start : start + length] = 1
    elif shape == "gated":
        window = int(rng.uniform(*config.gate_window_s) * SAMPLE_RATE)
        envelope = np.sqrt(np.maximum(channel.moving_average(voice**2, window), 0))
        mask = (envelope > envelope.max() * rng.uniform(*config.gate_threshold)).astype(np.float32)
    return noise * channel.moving_average(mask, 80)  # 5 ms edges: a switch would click
