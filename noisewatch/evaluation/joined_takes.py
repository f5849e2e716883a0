"""Takes of one speaker in a row, with pauses that continue each take's own noise floor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle

import numpy as np

from ..audio import levels
from ..audio.signal import SAMPLE_RATE, Samples
from ..corpus import tracks
from ..corpus.catalogue import Recording
from ..corpus.draw import Rng

PAUSE_S = (0.3, 1.2)  # before each take and after the last
STREAM_DBFS = (-40.0, -22.0)  # active level of the voice; microphones are rarely set to the assumed level
PEAK = 0.99


def joined(takes: Iterable[Recording], least_s: float, rng: Rng) -> Samples:
    """All takes in a row (n,), each at an active level of 0 dBFS. The last pause lasts until `least_s`."""
    pieces: list[Samples] = []
    for take in takes:
        samples = _levelled(take)
        pieces.append(_after_pause(samples, rng))
    left = int(least_s * SAMPLE_RATE) - sum(map(len, pieces))
    pause = max(_pause(rng), left)
    return np.concatenate([*pieces, np.resize(tracks.own_floor(samples, rng), pause)])


def lasting(takes: Iterable[Recording], seconds: float, rng: Rng) -> Samples:
    """Takes in a row (n,), repeated from the first one until `seconds`, each at an active level of 0 dBFS."""
    length, pieces = int(seconds * SAMPLE_RATE), list[Samples]()
    endless: Iterator[Recording] = cycle(takes)
    while sum(map(len, pieces)) < length:
        pieces.append(_after_pause(_levelled(next(endless)), rng))
    return np.concatenate(pieces)[:length]


def recorded(samples: Samples, dbfs: float) -> Samples:
    """Samples (n,) with a voice at 0 dBFS as a microphone delivers them: at `dbfs`, or lower so as not to clip."""
    gain = min(10 ** (dbfs / 20), PEAK / (np.abs(samples).max(initial=0) + 1e-9))
    return np.asarray(samples * np.float32(gain), np.float32)


def _levelled(take: Recording) -> Samples:
    samples = take.samples.astype(np.float32) / np.float32(32767)
    return samples / np.float32(levels.active_rms(samples) + 1e-9)


def _after_pause(samples: Samples, rng: Rng) -> Samples:
    pause = _pause(rng)
    floor = np.resize(tracks.own_floor(samples, rng), pause + len(samples))
    return tracks.laid_over(floor, samples, pause)


def _pause(rng: Rng) -> int:
    return int(rng.uniform(*PAUSE_S) * SAMPLE_RATE)
