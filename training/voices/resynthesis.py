"""One voice made of a recording: a piece of it, resynthesised as another voice, over a natural noise floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisewatch.audio import levels
from noisewatch.audio.highpass import high_passed
from noisewatch.audio.signal import BLOCK, SAMPLE_RATE, Samples
from noisewatch.corpus.catalogue import CLEAN_DB
from noisewatch.corpus.draw import Rng
from noisewatch.corpus.tracks import own_floor
from noisewatch.errors import InputError

from .frames import PERIOD_S, Array, Frames, analysed, synthesised
from .reshape import reshaped, without_floor
from .voice import SINGLE_WORDS, Voice, draw_voice

_EXCERPT_S = (2.0, 4.5)
_WORD_S = (0.12, 1.2)
_VOICED_SHARE = 0.4  # of the loud frames; below, F0 was not found: rough voices, and the highest of sung notes
_PEAK = 0.97
_FADE = 4 * BLOCK  # samples; pieces are cut within speech
_LSB_DBFS = -90.0  # a floor far below the step of 16 bits would become digital silence


def resynthesised(samples: Samples, kind: str, rng: Rng) -> tuple[NDArray[np.int16], float, Voice]:
    """Make a voice of a kind from samples (n,) at 16 kHz. Returns samples (m,) int16, their floor in dB, and how.

    Raises InputError if the recording has no such piece, or the result is not clean.
    """
    samples = high_passed(samples)
    frames = without_floor(analysed(_excerpt(samples, rng)))
    if kind in SINGLE_WORDS:
        frames = _word(frames, rng)
    if frames.voiced_share < _VOICED_SHARE:
        raise InputError(f"only {frames.voiced_share:.0%} of it is periodic; the result would be a noise")
    voice = draw_voice(kind, frames.median_f0, rng)
    frames = reshaped(frames, voice, rng)
    made = _over_floor(_levelled(_strained(synthesised(frames), frames, voice), voice), samples, voice, rng)
    rounded = np.round(made * 32767).astype(np.int16)
    floor_db = levels.floor_db(high_passed(rounded.astype(np.float32) / np.float32(32767)))
    if floor_db < CLEAN_DB:
        raise InputError(f"its floor would lie {floor_db:.0f} dB below the voice, not {CLEAN_DB:.0f} or more")
    return rounded, floor_db, voice


def _excerpt(samples: Samples, rng: Rng) -> Samples:
    """A few seconds of samples (n,), from a random start."""
    size = int(rng.uniform(*_EXCERPT_S) * SAMPLE_RATE)
    start = int(rng.integers(0, max(1, len(samples) - size + 1)))
    return samples[start : start + size]


def _word(frames: Frames, rng: Rng) -> Frames:
    """A word or syllable that is separated from its neighbours by quieter frames."""
    level_db = 10 * np.log10(np.convolve(frames.power, np.ones(5) / 5, "same") + 1e-30)
    for depth_db in (30.0, 22.0, 15.0):  # pauses between words, or else dips between syllables
        loud = level_db > level_db.max() - depth_db
        edges = np.flatnonzero(np.diff(np.pad(loud, 1).astype(int)))
        spans = [
            (a, b)
            for a, b in edges.reshape(-1, 2)
            if _WORD_S[0] <= (b - a) * PERIOD_S <= _WORD_S[1]
            and frames[a:b].voiced_share >= _VOICED_SHARE
            and level_db[a:b].max() > level_db.max() - 12
        ]
        if spans:
            start, end = spans[rng.integers(len(spans))]
            start -= _fall(level_db[:start][::-1])
            return frames[start : end + _fall(level_db[end:])]
    raise InputError("no single word stands out from it")


def _fall(level_db: Array) -> int:
    """The number of frames for which a level (n,) falls, up to a tenth of a second: where a neighbour begins."""
    rises = np.flatnonzero(np.diff(level_db[:20]) > 0)
    return int(rises[0]) + 1 if len(rises) else min(20, len(level_db))


def _strained(samples: Samples, frames: Frames, voice: Voice) -> Samples:
    """Synthesised samples (n,) with a growl and soft clipping."""
    if voice.growl:
        f0 = np.interp(np.arange(len(samples)), np.arange(len(frames.f0)) * PERIOD_S * SAMPLE_RATE, frames.f0)
        growl = 1 + voice.growl * np.cos(np.pi * np.cumsum(f0) / SAMPLE_RATE)
        samples = np.asarray(samples * growl, np.float32)
    if voice.drive:
        peak = np.quantile(np.abs(samples), 0.999) + 1e-12
        samples = np.asarray(np.tanh(voice.drive * samples / peak), np.float32)
    return samples


def _levelled(samples: Samples, voice: Voice) -> Samples:
    """Samples (n,) at the active level of a voice, or at the highest level at which no peak is clipped."""
    samples = samples * (10 ** (voice.level_dbfs / 20) / (levels.active_rms(samples) + 1e-12))
    return np.asarray(samples * min(1.0, _PEAK / (np.abs(samples).max() + 1e-12)), np.float32)


def _over_floor(samples: Samples, recording: Samples, voice: Voice, rng: Rng) -> Samples:
    """Samples (n,) over noise with the spectrum of the recording's own floor, which surrounds them."""
    before, after = (int(seconds * SAMPLE_RATE) for seconds in voice.pad_s)
    noise = np.resize(own_floor(recording, rng), before + len(samples) + after)
    if not noise.any():
        raise InputError("it has no noise floor of its own")
    active_dbfs = levels.dbfs(levels.active_power(levels.frame_power(samples)))
    floor_dbfs = max(active_dbfs - voice.floor_db, _LSB_DBFS)
    noise *= 10 ** (floor_dbfs / 20) / noise.std()
    steps = np.arange(len(samples))
    fade = np.minimum(1, np.minimum(steps, steps[::-1]) / _FADE)
    noise[before : before + len(samples)] += samples * fade
    return np.asarray(noise.clip(-1, 1), np.float32)
