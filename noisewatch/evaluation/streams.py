"""Test streams: one for each voice of a split, minutes long, with or without noises behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..audio import levels
from ..audio.signal import SAMPLE_RATE, WINDOW, Samples
from ..corpus import channel, tracks
from ..corpus.catalogue import Catalogue
from ..corpus.draw import Rng
from .testset import noise_samples

STREAM_DBFS = (-40.0, -22.0)  # of the voice; microphones are rarely set to the assumed level
EVENT_S, EVENT_SNR_DB = (1.0, 4.0), (0.0, 10.0)  # of the noises in a stream
EVENT_SOUNDS = 0.8  # a noise is audible for at least this share of its time: one bark in 2 s is not a noise of 2 s
GAP_S = 8.0  # between noises: longer than a window and the detector's hold times


@dataclass(frozen=True)
class MixedStream:
    """The recordings of one speaker in a row, and the noises behind them."""

    speaker: str
    samples: Samples  # (n,) float32 at 16 kHz
    noises: list[tuple[float, float]]  # onset and end, s


def streams(catalogue: Catalogue, seed: int, *, noisy: bool) -> Iterator[MixedStream]:
    """A stream per speaker: clean recordings joined over their own floor. noisy: add noises, 8 to 12 s apart."""
    speakers: dict[str, list[int]] = defaultdict(list)
    for index in catalogue.clean:
        row = catalogue.speech[index].row
        speakers[f"{row.source}/{row.group}"].append(index)
    for number, (speaker, indices) in enumerate(sorted(speakers.items())):
        rng = np.random.default_rng([seed, number])
        pieces = []
        for index in indices:
            take = catalogue.speech[index].samples.astype(np.float32) / np.float32(32767)
            pause = tracks.own_floor(take, rng)[: int(rng.uniform(0.3, 1.2) * SAMPLE_RATE)]
            pieces += [
                take / np.float32(levels.active_rms(take) + 1e-9),
                pause / np.float32(levels.active_rms(take)),
            ]
        samples = np.concatenate(pieces)
        floor = np.resize(channel.coloured_noise(rng, rng.uniform(-1, 0.3)), len(samples))
        samples = samples + floor * np.float32(10 ** (-rng.uniform(45, 60) / 20))
        noises = []
        at = rng.uniform(4, GAP_S)
        while noisy and (at + EVENT_S[1]) * SAMPLE_RATE < len(samples):
            length = int(rng.uniform(*EVENT_S) * SAMPLE_RATE)
            start = int(at * SAMPLE_RATE)
            samples[start : start + length] += _event(catalogue, length, rng)
            noises.append((at, at + length / SAMPLE_RATE))
            at += length / SAMPLE_RATE + rng.uniform(GAP_S, GAP_S + 4)
        gain = np.float32(10 ** (np.random.default_rng([seed, number, 1]).uniform(*STREAM_DBFS) / 20))
        yield MixedStream(speaker, np.clip(samples * gain, -1, 1).astype(np.float32), noises)


def _event(catalogue: Catalogue, length: int, rng: Rng) -> Samples:
    """A noise (length,) that is audible most of the time, at a random SNR relative to a voice of unit level."""
    for _ in range(50):
        noise = noise_samples(int(rng.integers(len(catalogue.noise))), catalogue, rng)
        start = int(rng.integers(0, max(1, WINDOW - length)))
        noise = np.resize(noise[start:], length) if length <= WINDOW else np.resize(noise, length)
        level = levels.active_rms(noise)
        if tracks.sounding_seconds(noise) > EVENT_SOUNDS * length / SAMPLE_RATE:
            break
    return np.asarray(noise / (level + 1e-9) * 10 ** (-rng.uniform(*EVENT_SNR_DB) / 20), np.float32)
