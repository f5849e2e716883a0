"""The tracks that a window is mixed from: a voice, and the noise behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..audio import levels
from ..audio.signal import BLOCK, SAMPLE_RATE, WINDOW, Samples
from . import channel
from .catalogue import Catalogue, Recording
from .config import NoiseConfig, SceneConfig, ShapeConfig, VoiceConfig
from .draw import Rng, attenuation, pick
from .scene import Noise, Take, Word
from .synthetic import SYNTHETIC

SHORTEST_NOISE_S = 0.3  # shorter noise is not scored
_GRID = np.linspace(0, 1, WINDOW // 2 + 1)
DIP_FRAMES = 5  # of 20 ms: a word is cut where the level dips within this distance


def voice_track(recording: Recording, take: Take, dense: bool, rng: Rng, config: VoiceConfig) -> Samples:
    """One voice (48000,): an excerpt, or a short take padded with its own floor. dense: cut out the pauses."""
    piece = _piece(recording, take.speed, rng, loud=True)
    if dense:
        more = [piece] + [_piece(recording, take.speed, rng, loud=True) for _ in range(2)]
        joined = np.concatenate(more)
        frames = joined[: len(joined) // levels.FRAME * levels.FRAME].reshape(-1, levels.FRAME)
        power = levels.frame_power(joined)
        speech = frames[power > power.max(initial=0) * 10 ** -rng.uniform(*config.dense_decades)].reshape(-1)
        return np.resize(speech, WINDOW)
    if len(piece) >= WINDOW and rng.random() < config.partial_share:  # speech starts or stops within the window
        piece = piece[: int(rng.uniform(*config.partial_s) * SAMPLE_RATE)]
    if len(piece) >= WINDOW:
        return piece
    track = own_floor(piece, rng)
    return laid_over(track, piece, int(rng.integers(0, WINDOW - len(piece) + 1)))


def word_track(recording: Recording, take: Take, word: Word, rng: Rng) -> Samples:
    """One word or syllable (48000,), cut out at dips of the level, over the recording's floor at another level.

    It starts anywhere; the window may cut off up to a third of it.
    """
    piece = _piece(recording, take.speed, rng, loud=True)
    power = levels.frame_power(piece)
    active = np.flatnonzero(levels.active_frames(power))
    middle = int(rng.choice(active)) if len(active) else 0
    reach = int(word.length_s * SAMPLE_RATE / levels.FRAME / 2)
    first, last = _dip(power, middle - reach), _dip(power, middle + reach)
    spoken = piece[first * levels.FRAME : (max(last, first + reach) + 1) * levels.FRAME]
    track = own_floor(piece, rng)
    track *= levels.active_rms(spoken) * 10 ** (-word.floor_db / 20) / (levels.active_rms(track) + 1e-9)
    start = int(rng.integers(-len(spoken) // 3, WINDOW - len(spoken) * 2 // 3))
    return laid_over(track, spoken, start)


def noise_track(noise: Noise, catalogue: Catalogue, rng: Rng, config: SceneConfig) -> Samples:
    """Noise (48000,): synthetic, or takes summed at their gains. Sounds too short to be scored are redrawn."""
    if noise.kind in SYNTHETIC:
        return _redrawn(SYNTHETIC[noise.kind], rng, config)
    track = np.zeros(WINDOW, np.float32)
    for take, gain_db in zip(noise.takes, noise.gains_db, strict=True):
        recording = (catalogue.speech if noise.spoken else catalogue.noise)[take.index]
        piece = _redrawn(_repeated, recording, take, rng, noise.spoken, config.noise)
        track += piece / (levels.active_rms(piece) + 1e-9) * 10 ** (gain_db / 20)
    return track


def shaped(noise: Samples, shape: str, voice: Samples, rng: Rng, config: ShapeConfig) -> Samples:
    """Noise (48000,) with an envelope: steady, onset, offset, events, or gated by the voice (48000,)."""
    if shape == "steady":
        return noise
    mask = np.ones(WINDOW, np.float32)
    if shape == "onset":
        mask[: int(rng.uniform(*config.onset) * WINDOW)] = 0
    elif shape == "offset":
        mask[int(rng.uniform(*config.offset) * WINDOW) :] = 0
    elif shape == "events":
        mask[:] = 0
        for _ in range(int(pick(rng, config.events))):
            length = int(rng.uniform(*config.event_s) * SAMPLE_RATE)
            # Around the peak, so a bark stays whole, or anywhere, like a slice of fan noise.
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
    return noise * channel.moving_average(mask, 80)  # 5 ms edges: a hard switch would click


def own_floor(samples: Samples, rng: Rng) -> Samples:
    """Noise (48000,) with the spectrum and level of the quietest 0.1 s of samples (n,).

    It pads short takes. If they were padded with zeros, a network would learn that zeros mean clean.
    """
    size = 1600
    pieces = [samples[a : a + size] for a in range(0, max(1, len(samples) - size + 1), size // 2)]
    powers = [float(np.square(p).mean()) for p in pieces]
    audible = [power for power in powers if power > 1e-10]
    if not audible:
        return np.zeros(WINDOW, np.float32)
    quiet = pieces[powers.index(min(audible))]
    magnitude = np.abs(np.fft.rfft(quiet * np.hanning(len(quiet)), size))
    magnitude = np.convolve(magnitude, np.ones(9) / 9, "same")
    shape = np.interp(_GRID, np.linspace(0, 1, len(magnitude)), magnitude).astype(np.float32)
    noise = np.fft.irfft(channel.gaussian_spectrum(rng.standard_normal((2, len(_GRID))), shape), WINDOW)
    return np.asarray(noise * np.float32(np.sqrt(min(audible))), np.float32)


def laid_over(floor: Samples, piece: Samples, start: int) -> Samples:
    """A floor (n,) in which a piece (m,) takes the place of the floor from sample `start`, with 10 ms fades.

    What lies outside the floor is cut off.
    """
    fade = np.minimum(1, np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / BLOCK)
    inside = slice(max(0, -start), len(floor) - start)
    there = slice(max(0, start), max(0, start + len(piece)))
    track = floor.copy()
    track[there] += (piece[inside] - track[there]) * fade[inside].astype(np.float32)
    return track


def sounding_seconds(noise: Samples) -> float:
    """Seconds for which noise (n,) is active relative to its own peak."""
    return levels.active_seconds(noise / (np.abs(noise).max() + 1e-9))


def long_enough(noise: Samples) -> bool:
    """Whether noise (48000,) lasts long enough to be scored."""
    return sounding_seconds(noise) >= SHORTEST_NOISE_S


def _piece(recording: Recording, speed: float, rng: Rng, loud: bool) -> Samples:
    """Up to 3 s of a recording at a speed. loud: try up to 4 times for an excerpt near its usual level."""
    need = int(np.ceil(WINDOW * speed)) + 16
    samples = recording.samples
    for _ in range(4):
        start = int(rng.integers(0, max(1, len(samples) - need + 1)))
        piece = samples[start : start + need].astype(np.float32)
        if not loud or levels.active_rms(piece) > 0.4 * recording.usual_rms:
            break
    if speed != 1.0:
        piece = soxr.resample(piece, SAMPLE_RATE * speed, SAMPLE_RATE, quality="LQ")
    return np.asarray(piece[:WINDOW] / 32767, np.float32)


def _repeated(recording: Recording, take: Take, rng: Rng, loud: bool, config: NoiseConfig) -> Samples:
    """A piece (48000,) of a recording; a shorter one is repeated with pauses, or looped from a random start."""
    piece = _piece(recording, take.speed, rng, loud)
    if len(piece) >= WINDOW or not take.gap_s:
        return np.roll(np.resize(piece, WINDOW), int(rng.integers(WINDOW)) if len(piece) < WINDOW else 0)
    # Often enough to be scored.
    longest = WINDOW / SHORTEST_NOISE_S * sounding_seconds(piece) * 0.8 - len(piece)
    gap = max(0.0, min(take.gap_s * SAMPLE_RATE, longest))
    track, at = np.zeros(WINDOW, np.float32), float(rng.uniform(-len(piece), min(gap, WINDOW - len(piece))))
    while at < WINDOW:
        track = laid_over(track, piece * np.float32(attenuation(rng, config.sound_repeat_db)), int(at))
        at += len(piece) + gap * rng.uniform(*config.sound_gap_jitter)
    return track


def _dip(power: NDArray[np.floating], frame: int) -> int:
    """The quietest of the frames around one."""
    frame = min(max(0, frame), len(power) - 1)
    first = max(0, frame - DIP_FRAMES)
    return first + int(power[first : frame + DIP_FRAMES + 1].argmin())


def _redrawn(draw: Callable[..., Samples], *args: Any) -> Samples:
    """The first of five draws that is long enough to be scored, or else the last."""
    for _ in range(5):
        if long_enough(noise := draw(*args)):
            break
    return noise
