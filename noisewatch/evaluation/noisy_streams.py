"""Noisy test streams: a clean voice that goes on, and one noise behind it, or a second voice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..audio import levels
from ..audio.signal import BLOCK, SAMPLE_RATE, Samples
from ..corpus import tracks
from ..corpus.catalogue import SPARSE_DB, Catalogue, Recording
from ..corpus.draw import Rng
from .joined_takes import STREAM_DBFS, lasting, recorded

BEFORE_S, AFTER_S = 5.0, 6.0  # of the voice alone: longer than a window and the detector's hold times
LONG_S, LONG_SPAN = 5.0, 0.8  # a long noise, and the share of it between its first and last active frame
LONG_SNRS = (0.0, 5.0, 10.0, 15.0, 20.0)  # dB
SHORT_S, SHORT_SNR_DB = (1.0, 4.0), (0.0, 10.0)
SHORT_SOUNDS = 0.8  # active for at least this share of the time: one bark in 2 s is not a noise of 2 s
SECOND_VOICE_SNRS = (0.0, 5.0, 10.0)  # dB, of the first voice over the second
BURIED_DB = 20.0  # a crop that is weaker than its recording by more than this is a pause in it
TRIES = 50  # draws of a noise

LONG, SHORT, SECOND_VOICE = range(3)  # the second part of a stream's seed


@dataclass(frozen=True)
class PlacedNoise:
    """The noise in a stream."""

    onset_s: float  # start of its first active frame
    end_s: float  # end of its last active frame
    snr_db: float  # of the voice over the noise, by active levels
    continuous: bool  # whether it has no pauses
    sound: str  # kind of sound, as in the manifest; empty if not known


Noisy = tuple[Samples, PlacedNoise]  # (n,) float32 at 16 kHz


class NoisyStreams:
    """Streams by number. The catalogue, the seed and the number determine a stream."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self._catalogue, self._seed = catalogue, seed
        self._takes: dict[tuple[str, str], list[int]] = defaultdict(list)  # clean ones, by speaker
        for index in catalogue.clean:
            self._takes[catalogue.speech[index].speaker].append(index)

    def long(self, number: int) -> list[Noisy]:
        """5 s of one noise behind one voice, at each SNR. Empty if no noise lasts long enough."""
        rng = np.random.default_rng([self._seed, LONG, number])
        return self._with_noise(LONG_S, LONG_SNRS, lambda noise: _span_s(noise) >= LONG_SPAN * LONG_S, rng)

    def short(self, number: int) -> list[Noisy]:
        """A noise of 1 to 4 s at 0 to 10 dB behind a voice. Empty if no noise lasts long enough."""
        rng = np.random.default_rng([self._seed, SHORT, number])
        length_s, snr_db = rng.uniform(*SHORT_S), rng.uniform(*SHORT_SNR_DB)

        def sounds(noise: Samples) -> bool:
            return tracks.sounding_seconds(noise) >= SHORT_SOUNDS * length_s

        return self._with_noise(length_s, (snr_db,), sounds, rng)

    def second_voice(self, number: int) -> list[Noisy]:
        """Another voice for 5 s behind the first, at each SNR. Empty if there is only one speaker."""
        if len(self._takes) < 2:
            return []
        rng = np.random.default_rng([self._seed, SECOND_VOICE, number])
        first = self._catalogue.draw(rng, "clean")
        second = self._catalogue.draw_other(rng, first, "clean")
        voice = self._voice(second, 2 * LONG_S, rng)
        active = np.flatnonzero(levels.active_frames(levels.frame_power(voice)))
        voice = voice[active[0] * levels.FRAME :][: int(LONG_S * SAMPLE_RATE)]  # takes begin with a pause
        return self._behind(first, voice, SECOND_VOICE_SNRS, "", rng)

    def _with_noise(
        self, seconds: float, snrs: Sequence[float], fits: Callable[[Samples], bool], rng: Rng
    ) -> list[Noisy]:
        voice = self._catalogue.draw(rng, "clean")
        for _ in range(TRIES):
            recording = self._catalogue.noise[self._catalogue.draw(rng, "noise")]
            noise = _crop(recording, seconds, rng)
            if noise is not None and fits(noise):
                return self._behind(voice, noise, snrs, recording.row.sound, rng)
        return []

    def _behind(self, voice: int, noise: Samples, snrs: Sequence[float], sound: str, rng: Rng) -> list[Noisy]:
        """A noise (m,) behind a voice that begins 5 s before it and ends 6 s after it, at each SNR."""
        start = int(BEFORE_S * SAMPLE_RATE)
        track = self._voice(voice, BEFORE_S + len(noise) / SAMPLE_RATE + AFTER_S, rng)
        active = np.flatnonzero(levels.active_frames(levels.frame_power(noise)))
        onset, end = (float(start + frame * levels.FRAME) / SAMPLE_RATE for frame in (active[0], active[-1] + 1))
        ramp = np.minimum(1, np.minimum(np.arange(len(noise)), np.arange(len(noise))[::-1]) / BLOCK)
        gain = levels.active_rms(track) / levels.active_rms(noise)
        continuous = levels.floor_db(noise) <= SPARSE_DB
        dbfs, streams = rng.uniform(*STREAM_DBFS), []
        for snr in snrs:
            mixed = track.copy()
            mixed[start : start + len(noise)] += noise * ramp * gain * 10 ** (-snr / 20)
            streams.append((recorded(mixed, dbfs), PlacedNoise(onset, end, snr, continuous, sound)))
        return streams

    def _voice(self, index: int, seconds: float, rng: Rng) -> Samples:
        """A speaker's clean takes in a row, from one of them on."""
        takes = self._takes[self._catalogue.speech[index].speaker]
        first = takes.index(index)
        return lasting([self._catalogue.speech[i] for i in takes[first:] + takes[:first]], seconds, rng)


def _crop(recording: Recording, seconds: float, rng: Rng) -> Samples | None:
    """An excerpt of a noise (n,), or all of it in a loop. None if it lies in a pause of the recording."""
    length, samples = int(seconds * SAMPLE_RATE), recording.samples
    start = int(rng.integers(0, max(1, len(samples) - length + 1)))
    crop = np.resize(samples[start : start + length].astype(np.float32) / np.float32(32767), length)
    usual = levels.active_rms(samples.astype(np.float32) / np.float32(32767))
    return crop if levels.active_rms(crop) > usual * 10 ** (-BURIED_DB / 20) else None


def _span_s(noise: Samples) -> float:
    """Time from the first to the last active frame of a noise (n,), s."""
    active = np.flatnonzero(levels.active_frames(levels.frame_power(noise)))
    return float(active[-1] + 1 - active[0]) * levels.FRAME / SAMPLE_RATE if len(active) else 0.0
