"""Synthetic noise: hiss and rumble, tones, impacts, calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio.signal import SAMPLE_RATE, WINDOW, Samples
from .channel import coloured_noise, transformed
from .config import CallsConfig, SceneConfig
from .draw import Rng, attenuation, log_uniform

HIGHEST_HZ = 7_500.0  # upper limit for harmonics
_TIME = np.arange(WINDOW) / SAMPLE_RATE


def coloured(rng: Rng, scenes: SceneConfig) -> Samples:
    """Steady coloured noise (48000,), from rumble to hiss."""
    return coloured_noise(rng, rng.uniform(*scenes.coloured_slope))


def tones(rng: Rng, scenes: SceneConfig) -> Samples:
    """Pitched sound (48000,): mains hum, chords, sirens, beeps."""
    config, track, t = scenes.tones, np.zeros(WINDOW, np.float32), _TIME
    mains = rng.random() < config.mains_share
    rolloff = rng.uniform(*config.rolloff)
    wobble = rng.uniform(*config.wobble) if rng.random() < config.wobble_share else 0.0
    keyed = rng.random() < config.keyed_share
    for _ in range(1 if mains else int(rng.integers(*config.count))):
        pitch = rng.choice(config.mains_hz) if mains else log_uniform(rng, config.pitch_log_hz)
        cycles, rate = pitch * t, rng.uniform(*config.wobble_hz)
        if wobble:
            cycles += pitch * wobble / 20 * np.sin(2 * np.pi * rate * t)
        phase = rng.random()
        count = int(rng.integers(*(config.mains_harmonics if mains else config.harmonics)))
        gains = [rng.random() / h**rolloff for h in range(1, min(count, int(HIGHEST_HZ / pitch) + 1))]
        track += _harmonics(cycles, gains, phase)
    if keyed:
        every = rng.uniform(*config.key_period_s)
        track *= (t + rng.random()) % every < rng.uniform(*config.key_duty) * every
    return track


def _harmonics(cycles: NDArray[np.float64], gains: Sequence[float], phase: float = 0.0) -> Samples:
    """Sum of harmonics 1, 2, ... (n,) with these gains over a phase (n,) in cycles."""
    angle = (2 * np.pi * (cycles % 1)).astype(np.float32)
    turn = np.empty(len(angle), np.complex64)
    turn.real, turn.imag = np.cos(angle), np.sin(angle)
    harmonic, total = turn * np.complex64(np.exp(2j * np.pi * phase)), np.zeros(len(angle), np.float32)
    for gain in gains:
        total += harmonic.imag * np.float32(gain)
        harmonic *= turn
    return total


def impacts(rng: Rng, scenes: SceneConfig) -> Samples:
    """Clicks, knocks and clatter (48000,): damped resonances excited by noise, at regular intervals or not."""
    config = scenes.impacts
    strikes = np.zeros(WINDOW, np.float32)
    count = int(log_uniform(rng, config.count_log))
    start = rng.integers(WINDOW)
    if rng.random() < config.regular_share:
        every = int(WINDOW / SAMPLE_RATE / count * SAMPLE_RATE * rng.uniform(*config.regular_spacing))
        at = (start + np.arange(count) * every) % WINDOW
    else:
        at = (start + rng.integers(0, int(rng.uniform(*config.spread) * WINDOW), count)) % WINDOW
    strikes[at] = attenuation(rng, config.strike_db, count)
    t = _TIME[: SAMPLE_RATE // 2]
    body = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(*config.click_decay_s))
    body *= rng.uniform(*config.click_gain)
    decay = log_uniform(rng, config.ring_decay_log_s)
    pitches = config.dull_log_hz if rng.random() < config.dull_share else config.ring_log_hz
    for _ in range(int(rng.integers(*config.rings))):
        pitch = log_uniform(rng, pitches)
        ring = np.sin(2 * np.pi * pitch * t) * np.exp(-t / (decay * rng.uniform(*config.ring_decay_share)))
        body += ring * rng.random()
    spectrum = transformed(strikes) * transformed(body)
    return np.asarray(np.fft.irfft(spectrum, WINDOW), np.float32)


@dataclass(frozen=True)
class _VocalTract:
    """Parameters shared by all calls of one animal or person."""

    pitch_hz: float
    length_s: float
    breath: float  # 1: air only, no voicing
    glide: NDArray[np.float64]  # octaves at the start, the turning point and the end
    rough: float  # octaves, a new value every 5 ms
    rolloff: float
    attack: float
    resonances: NDArray[np.float64]  # (3, n): ln Hz, width, gain


def _vocal_tract(rng: Rng, config: CallsConfig) -> _VocalTract:
    pitch, length = log_uniform(rng, config.pitch_log_hz), log_uniform(rng, config.length_log_s)
    breath = rng.uniform(*config.breath) ** 2 if rng.random() < config.voiced_share else 1.0
    glide = rng.uniform(*config.glide_octaves, 3)
    rough = rng.uniform(*config.rough_octaves) if rng.random() < config.rough_share else 0.0
    rolloff, attack = rng.uniform(*config.rolloff), rng.uniform(*config.attack)
    count = int(rng.integers(*config.resonances))
    low, high = config.resonance_log_hz
    places = np.log(low) + rng.uniform(0, 1, count) * np.log(high / low)
    widths, gains = rng.uniform(*config.resonance_width, count), rng.uniform(*config.resonance_gain, count)
    return _VocalTract(pitch, length, breath, glide, rough, rolloff, attack, np.stack([places, widths, gains]))


def _call(rng: Rng, tract: _VocalTract, config: CallsConfig) -> NDArray[np.float64]:
    """One call: harmonics and breath noise through a formant filter."""
    n = min(WINDOW, max(320, int(tract.length_s * rng.uniform(*config.length_jitter) * SAMPLE_RATE)))
    u = np.linspace(0, 1, n)
    octaves = np.interp(u, [0, rng.uniform(*config.turn), 1], tract.glide + rng.normal(0, config.glide_sd, 3))
    octaves += tract.rough * np.repeat(rng.standard_normal(n // 80 + 1), 80)[:n]
    cycles = np.cumsum(tract.pitch_hz * 2**octaves) / SAMPLE_RATE
    highest = int(np.clip(7000 / (tract.pitch_hz * 2 ** octaves.max()), 1, 24))
    voiced = _harmonics(cycles, [h**-tract.rolloff for h in range(1, highest + 1)])
    call = (1 - tract.breath) * voiced / (np.std(voiced) + 1e-9) + tract.breath * rng.standard_normal(n)
    size = -(-n // 320) * 320  # a length with small factors
    ln_hz = np.log(np.fft.rfftfreq(size, 1 / SAMPLE_RATE) + 1).astype(np.float32)
    ln_hz -= np.float32(rng.normal(0, config.resonance_sd))
    formants = np.full(len(ln_hz), 0.03, np.float32)
    for place, width, gain in tract.resonances.T.astype(np.float32):
        formants += gain * np.exp(-((ln_hz - place) ** 2) / (2 * width**2))
    call = np.fft.irfft(transformed(call, size) * formants, size)[:n]
    envelope = (
        np.minimum(1, u / tract.attack) * np.interp(u, [0, rng.uniform(*config.release), 1], [1, 1, 0]) ** 1.5
    )
    return np.asarray(call * envelope, np.float64)


def calls(rng: Rng, scenes: SceneConfig) -> Samples:
    """Vocal sounds that are not speech (48000,): barks, coughs, cries, chirps; one call, or several similar ones.

    Source-filter model of G. Fant, Acoustic Theory of Speech Production, 1960.
    """
    config = scenes.calls
    tract = _vocal_tract(rng, config)
    at, every = rng.uniform(*config.start_s), rng.uniform(*config.spacing) * tract.length_s
    track = np.zeros(WINDOW)
    most = max(2, min(9, int(2.5 / tract.length_s) + 1))
    for _ in range(int(rng.integers(1, most))):
        call = _call(rng, tract, config)
        start = int(at * SAMPLE_RATE) % WINDOW
        track += np.roll(np.pad(call, (0, WINDOW - len(call))), start) * attenuation(rng, config.gain_db)
        at += every * rng.uniform(*config.spacing_jitter)
    return np.asarray(track, np.float32)


SYNTHETIC = {"coloured": coloured, "tones": tones, "impacts": impacts, "calls": calls}
