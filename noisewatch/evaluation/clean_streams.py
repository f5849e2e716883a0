"""Clean test streams: all takes of each speaker in a row. The recordings' own floors are the only noise."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..audio.signal import Samples
from ..corpus.catalogue import CLEAN_DB, Catalogue, Recording
from ..corpus.styles import style
from .joined_takes import STREAM_DBFS, joined, recorded

LEAST_S = 5.0  # a window and 2 s: a single word is judged from the first window until it begins to leave it


@dataclass(frozen=True)
class Voice:
    """One speaker, with all takes of one style."""

    style: str
    source: str
    group: str
    takes: tuple[Recording, ...]

    @property
    def speaker(self) -> str:
        """The speaker's name within the catalogue."""
        return f"{self.source}/{self.group}"


def clean_voices(catalogue: Catalogue) -> list[Voice]:
    """The speakers of all takes whose floor lies at least 40 dB below the voice."""
    return _voices(catalogue.speech[i] for i in catalogue.clean)


def other_voices(catalogue: Catalogue) -> list[Voice]:
    """The speakers of all takes with a higher floor."""
    return _voices(r for r in catalogue.speech if r.row.style != "made" and r.floor_db < CLEAN_DB)


def clean_stream(voice: Voice, seed: int) -> Samples:
    """The takes of a speaker in a row, (n,) float32 at 16 kHz, at least 5 s. Other speakers do not change it."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{voice.style} {voice.speaker}".encode())])
    return recorded(joined(voice.takes, LEAST_S, rng), rng.uniform(*STREAM_DBFS))


def _voices(recordings: Iterable[Recording]) -> list[Voice]:
    takes: dict[tuple[str, str, str], list[Recording]] = defaultdict(list)
    for r in recordings:
        takes[style(r.row), r.row.source, r.row.group].append(r)
    return [Voice(*key, tuple(takes[key])) for key in sorted(takes)]
