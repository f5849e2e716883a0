"""Test windows from one split of a manifest.

An `Item` specifies the recordings and the SNR that were drawn. `rendered` mixes its samples, plain or under a
condition (a telephone, a room, a codec). The same catalogue, seed and item give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..audio.signal import WINDOW, Samples
from ..corpus import channel, tracks
from ..corpus.catalogue import Catalogue
from ..corpus.config import SceneConfig
from ..corpus.draw import Rng
from ..corpus.scene import Noise, Take

SNRS = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)  # dB; noisy up to 20
CONDITIONS = ("plain", "gain -30 dB", "peak at -1 dBFS", "telephone", "room", "mu-law", "MP3")
SCENES = SceneConfig()  # every network is tested on the default ranges, whatever it was trained on


@dataclass(frozen=True)
class Item:
    """One test window before its samples are mixed."""

    number: int
    situation: str  # "speech" | "dense speech" | "quiet room" | "noise alone" | "gated noise"
    voice: int | None  # index into the catalogue's speech
    noise: int | None  # index into the catalogue's noise
    snr_db: float | None  # None: clean

    @property
    def noisy(self) -> bool:
        """Whether there is noise behind the voice, or instead of it."""
        return self.noise is not None


def draw(catalogue: Catalogue, count: int, seed: int) -> list[Item]:
    """Draw test windows: `count` of clean speech, half as many at each SNR, and other everyday situations."""
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
    """The samples of an item, (48000,) float32.

    A condition other than "plain" needs an item with a voice, and "room" a catalogue with room responses.
    """
    rng = np.random.default_rng([seed, item.number])
    if item.voice is None:
        if item.noise is None:
            return channel.at_level(channel.coloured_noise(rng, rng.uniform(-1, 0.3)), rng.uniform(-85, -66))
        return channel.at_level(noise_samples(item.noise, catalogue, rng), rng.uniform(-45, -20))
    dense = item.situation == "dense speech"
    voice = tracks.voice_track(catalogue.speech[item.voice], Take(item.voice), dense, rng, SCENES.voice)
    noise = np.zeros(WINDOW, np.float32) if item.noise is None else noise_samples(item.noise, catalogue, rng)
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


def noise_samples(index: int, catalogue: Catalogue, rng: Rng) -> Samples:
    """A steady crop of a noise recording, (48000,) float32."""
    noise = Noise("recording", (Take(index),), (0.0,), "steady", None)
    return tracks.noise_track(noise, catalogue, rng, SCENES)


def _response(catalogue: Catalogue, rng: Rng) -> Samples | None:
    room = channel.draw_room(rng, len(catalogue.rooms), SCENES.room)
    return None if room is None else channel.room_response(room, catalogue.rooms[room.index])
