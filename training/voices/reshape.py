"""Changes to the frames of a voice: pitch, vocal tract, effort and duration, each independent of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from noisewatch.audio.signal import SAMPLE_RATE
from noisewatch.corpus.draw import Rng

from .frames import PERIOD_S, Array, Frames
from .voice import F0_RANGE, Voice

_LARGEST_EXCURSION = 8.0  # semitones from the median; errors of the F0 tracker lie beyond
_QUIETEST = 1e-4  # smallest gain (power) of the subtraction of the floor
_NOTE_S = (0.3, 1.5)


def reshaped(frames: Frames, voice: Voice, rng: Rng) -> Frames:
    """The frames with the pitch, formants, tilt, range of levels and duration of a voice."""
    frames = stretched(frames, voice.stretch, voice.vowels_only)
    frames = replace(frames, envelope=_spectrum(frames.envelope, voice))
    if voice.f0_hz == 0:  # whispered: noise takes the place of the glottis
        return Frames(np.zeros_like(frames.f0), frames.envelope, np.ones_like(frames.aperiodicity))
    return replace(frames, f0=_pitch(frames.f0, voice, rng)) if frames.median_f0 else frames


def without_floor(frames: Frames) -> Frames:
    """Subtract the recording's own noise floor from the envelope, so that another can take its place.

    The floor is the mean of the quietest tenth of the frames; nothing is subtracted where that is not quiet.
    """
    power = frames.power
    quiet = power <= np.quantile(power, 0.1)
    floor = frames.envelope[quiet].mean(0)
    if floor.mean() > power.max() * 10**-3.5:
        return frames
    gain = np.maximum(1 - 4 * floor / np.maximum(frames.envelope, 1e-30), _QUIETEST)
    return replace(frames, envelope=frames.envelope * gain)


def stretched(frames: Frames, factor: float, vowels_only: bool) -> Frames:
    """The frames at a factor of the duration. vowels_only: unvoiced frames keep their duration."""
    if factor == 1:
        return frames
    voiced = (frames.f0 > 0) | (not vowels_only)
    end = np.cumsum(np.where(voiced, factor, 1.0))  # of each frame, in new frames
    place = np.interp(np.arange(int(end[-1])), end - 1, np.arange(len(end)))
    below = place.astype(int)
    above, share = np.minimum(below + 1, len(end) - 1), (place - below)[:, None]
    nearest = np.where(share[:, 0] < 0.5, below, above)
    both = (frames.f0[below] > 0) & (frames.f0[above] > 0)
    f0 = np.where(both, frames.f0[below] * (1 - share[:, 0]) + frames.f0[above] * share[:, 0], frames.f0[nearest])
    log = np.log(np.maximum(frames.envelope, 1e-30))
    return Frames(
        f0,
        np.exp(log[below] * (1 - share) + log[above] * share),
        frames.aperiodicity[below] * (1 - share) + frames.aperiodicity[above] * share,
    )


def _spectrum(envelope: Array, voice: Voice) -> Array:
    """The envelope (n, bins) with formants moved, tilted, and with its levels compressed."""
    bins = np.arange(envelope.shape[1])
    if voice.formants != 1:
        envelope = np.exp(np.array([np.interp(bins / voice.formants, bins, row) for row in np.log(envelope)]))
    hertz = np.maximum(bins * SAMPLE_RATE / 2 / bins[-1], 100)
    envelope = envelope * 10 ** (voice.tilt_db * np.log10(hertz / 1000) / 10)
    level_db = 10 * np.log10(np.maximum(envelope.mean(1), 1e-30))
    below_db = level_db.max() - level_db
    # Below -30 dB the gain falls again, so that pauses stay quiet.
    gain_db = (1 - voice.compression) * np.clip(np.minimum(below_db, 60 - below_db), 0, 30)
    return np.asarray(envelope * 10 ** (gain_db / 10)[:, None])


def _pitch(f0: Array, voice: Voice, rng: Rng) -> Array:
    """F0 (n,) moved to a voice's median, with its contour."""
    voiced, frames = f0 > 0, np.arange(len(f0))
    track = np.interp(frames, frames[voiced], f0[voiced])
    contour = voice.excursion * 12 * np.log2(track / np.median(f0[voiced]))
    contour = _LARGEST_EXCURSION * np.tanh(contour / _LARGEST_EXCURSION)
    if voice.notes:
        contour = _notes(contour, rng)
    seconds = frames * PERIOD_S
    contour += voice.glide * (frames / len(f0) - 0.5)
    contour += voice.vibrato_cents / 100 * np.sin(2 * np.pi * (voice.vibrato_hz * seconds + rng.random()))
    contour += 12 / np.log(2) * voice.jitter * rng.standard_normal(len(f0))
    return np.asarray(voiced * np.clip(voice.f0_hz * 2 ** (contour / 12), *F0_RANGE))


def _notes(contour: Array, rng: Rng) -> Array:
    """A contour (n,) in semitones as notes that are held, with short glides between them."""
    notes, start = np.empty(len(contour)), 0
    while start < len(contour):
        end = start + int(rng.uniform(*_NOTE_S) / PERIOD_S)
        notes[start:end] = round(contour[start:end].mean()) + rng.integers(-3, 4)
        start = end
    glide = np.hanning(13)[1:-1] / np.hanning(13).sum()
    return np.convolve(np.pad(notes, 5, "edge"), glide, "valid")
