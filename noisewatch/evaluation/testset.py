"""Fixed test windows and streams from one split of a manifest: what every report is measured on.

An `Item` holds what was drawn; `rendered` makes its samples, plainly or through a condition (a telephone, a
room, a codec). The same catalogue, seed and item give the same bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..audio import levels
from ..audio.signal import SAMPLE_RATE, WINDOW, Samples
from ..corpus import channel, tracks
from ..corpus.catalogue import Catalogue
from ..corpus.config import SceneConfig
from ..corpus.draw import Rng
from ..corpus.scene import Noise, Take

SNRS = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)  # dB; noisy up to 20
CONDITIONS = ("plain", "gain -30 dB", "peak at -1 dBFS", "telephone", "room", "mu-law", "MP3")
STREAM_DBFS = (-40.0, -22.0)  # of the voice: microphones are not set to the level that is assumed
EVENT_S, EVENT_SNR_DB = (1.0, 4.0), (0.0, 10.0)  # of the noises laid into streams
EVENT_SOUNDS = 0.8  # of its time, at least: a bark in two seconds is no noise of two seconds
SCENES = SceneConfig()  # whatever a network was trained on, it is measured on these
GAP_S = 8.0  # between them: longer than a window and the detector's patience


@dataclass(frozen=True)
class Item:
    """One test window, not rendered yet."""

    number: int
    situation: str  # "speech" | "dense speech" | "quiet room" | "noise alone" | "gated noise"
    voice: int | None  # index into the catalogue's speech
    noise: int | None  # index into the catalogue's noise
    snr_db: float | None  # None: clean

    @property
    def noisy(self) -> bool:
        """Whether something sounds behind the voice, or instead of it."""
        return self.noise is not None


def draw(catalogue: Catalogue, count: int, seed: int) -> list[Item]:
    """Items: `count` of clean speech, half as many noisy at each SNR, and what else a meter meets all day."""
    rng = np.random.default_rng(seed)
    plan: list[tuple[str, bool, float | None]] = [("speech", True, None)] * count
    for snr in SNRS:
        plan += [("speech", True, snr)] * (count // 2)
    plan += [("dense speech", True, None)] * (count // 5) + [("quiet room", False, None)] * (count // 4)
    plan += [("dense speech", True, float(rng.uniform(0, 20))) for _ in range(count // 5)]
    plan += [("gated noise", True, float(rng.uniform(0, 15))) for _ in range(count // 5)]
    plan += [("noise alone", False, 0.0)] * (count // 4)
    return [
        Item(
            number=number,
            situation=situation,
            voice=int(rng.choice(catalogue.clean)) if voiced else None,
            noise=None if snr is None else int(rng.integers(len(catalogue.noise))),
            snr_db=snr,
        )
        for number, (situation, voiced, snr) in enumerate(plan)
    ]


def rendered(item: Item, catalogue: Catalogue, seed: int, condition: str = "plain") -> Samples:
    """The samples of an item (48000,), float32. Conditions are for items with a voice; rooms have to be there."""
    rng = np.random.default_rng([seed, item.number])
    if item.voice is None:
        if item.noise is None:
            return channel.at_level(channel.coloured_noise(rng, rng.uniform(-1, 0.3)), rng.uniform(-85, -66))
        return channel.at_level(_noise(item.noise, catalogue, rng), rng.uniform(-45, -20))
    dense = item.situation == "dense speech"
    voice = tracks.voice_track(catalogue.speech[item.voice], Take(item.voice), dense, rng, SCENES.voice)
    noise = np.zeros(WINDOW, np.float32) if item.noise is None else _noise(item.noise, catalogue, rng)
    if item.situation == "gated noise":
        noise = tracks.shaped(noise, "gated", voice, rng, SCENES.shape)
    floor = channel.coloured_noise(rng, rng.uniform(-1, 0.3))
    level, floor_db = rng.uniform(-36, -18), rng.uniform(42, 62)
    flat = np.ones(WINDOW // 2 + 1, np.float32)
    if condition == "room":
        voice, noise = (channel.filtered(track, flat, _response(catalogue, rng)) for track in (voice, noise))
    voice = channel.at_level(voice, level)
    if item.snr_db is not None:
        noise = channel.at_level(noise, level - item.snr_db)
    mixed = voice + noise + floor * np.float32(10 ** ((level - floor_db) / 20))
    if condition == "telephone":
        mixed = channel.filtered(mixed, channel.telephone_curve(), None)
    elif condition == "gain -30 dB":
        mixed = mixed * np.float32(10 ** (-30 / 20))
    elif condition == "peak at -1 dBFS":
        mixed = mixed * np.float32(10 ** (-1 / 20) / np.abs(mixed).max())
    elif condition in ("mu-law", "MP3"):
        mixed = channel.coded(np.clip(mixed, -1, 1), condition.lower().replace("-", ""))
    return np.clip(mixed, -1, 1)


def _noise(index: int, catalogue: Catalogue, rng: Rng) -> Samples:
    noise = Noise("recording", (Take(index),), (0.0,), "steady", None)
    return tracks.noise_track(noise, catalogue, rng, SCENES)


def _response(catalogue: Catalogue, rng: Rng) -> Samples | None:
    room = channel.draw_room(rng, len(catalogue.rooms), SCENES.room)
    return None if room is None else channel.room_response(room, catalogue.rooms[room.index])


@dataclass(frozen=True)
class Stream:
    """One speaker for as long as there are recordings, and the noises laid behind."""

    speaker: str
    samples: Samples  # (n,) float32 at 16 kHz
    noises: list[tuple[float, float]]  # onset and end, s


def streams(catalogue: Catalogue, seed: int, *, noisy: bool) -> Iterator[Stream]:
    """Each speaker's clean recordings, joined over their own floor; `noisy`: with a noise every 8 s or so."""
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
        yield Stream(speaker, np.clip(samples * gain, -1, 1).astype(np.float32), noises)


def _event(catalogue: Catalogue, length: int, rng: Rng) -> Samples:
    """(length,) of a noise that sounds most of the time, at a drawn SNR under a voice of unit level."""
    for _ in range(50):
        noise = _noise(int(rng.integers(len(catalogue.noise))), catalogue, rng)
        start = int(rng.integers(0, max(1, WINDOW - length)))
        noise = np.resize(noise[start:], length) if length <= WINDOW else np.resize(noise, length)
        level = levels.active_rms(noise)
        if tracks.sounding_seconds(noise) > EVENT_SOUNDS * length / SAMPLE_RATE:
            break
    return np.asarray(noise / (level + 1e-9) * 10 ** (-rng.uniform(*EVENT_SNR_DB) / 20), np.float32)
