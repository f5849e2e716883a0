"""The kinds of resynthesised voices, and how a voice of each kind is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from noisewatch.corpus.draw import Rng, log_uniform

F0_RANGE = (60.0, 1100.0)  # Hz, excursions included


@dataclass(frozen=True)
class Voice:
    """How a voice is resynthesised from a recording. The defaults leave the recording as it is."""

    kind: str
    f0_hz: float  # median; 0: whispered
    formants: float = 1.0  # factor on the frequencies of the formants
    tilt_db: float = 0.0  # change of the spectral tilt, dB per decade
    stretch: float = 1.0  # factor on the duration
    vowels_only: bool = False  # stretch what is voiced, and nothing else
    excursion: float = 1.0  # factor on the F0 contour in semitones
    notes: bool = False  # F0 in steps of semitones, each held
    glide: float = 0.0  # change of F0 from start to end, semitones
    vibrato_hz: float = 5.0
    vibrato_cents: float = 0.0
    jitter: float = 0.0  # standard deviation of F0 from frame to frame, relative
    growl: float = 0.0  # depth of the modulation at half of F0
    compression: float = 1.0  # exponent of the loudness; 1: as spoken
    drive: float = 0.0  # soft clipping: gain in front of tanh; 0: none
    floor_db: float = 60.0  # active level above the noise floor
    level_dbfs: float = -24.0  # active level
    pad_s: tuple[float, float] = (0.3, 0.3)  # floor before and after


Values = dict[str, Any]


def draw_voice(kind: str, f0_hz: float, rng: Rng) -> Voice:
    """Draw a voice of one of KINDS. f0_hz: the median F0 of the piece, for kinds that are relative to it."""
    values: Values = {
        "floor_db": float(rng.uniform(42, 80)),
        "level_dbfs": float(rng.uniform(-30, -16)),
        "pad_s": (float(rng.uniform(0.15, 0.6)), float(rng.uniform(0.15, 0.6))),
    }
    return Voice(kind, **(values | _DRAWS[kind](f0_hz, rng)))


def _high(f0_hz: float, rng: Rng) -> Values:
    return {
        "f0_hz": log_uniform(rng, (320, 700)),
        "formants": rng.uniform(1, 1.35),
        "excursion": rng.uniform(0.6, 1.3),
        "tilt_db": rng.uniform(-3, 6),
    }


def _child(f0_hz: float, rng: Rng) -> Values:
    return {
        "f0_hz": log_uniform(rng, (250, 450)),
        "formants": rng.uniform(1.15, 1.35),
        "excursion": rng.uniform(0.8, 1.6),
        "tilt_db": rng.uniform(-4, 3),
        "jitter": rng.uniform(0, 0.01),
    }


def _scream(f0_hz: float, rng: Rng) -> Values:
    return _effort(rng) | {
        "f0_hz": log_uniform(rng, (380, 700)),
        "formants": rng.uniform(1, 1.3),
        "excursion": rng.uniform(1.5, 3),
        "glide": rng.uniform(-6, 6),
        "jitter": rng.uniform(0.005, 0.03),
        "stretch": rng.uniform(1, 1.8),
        "vowels_only": True,
    }


def _shout(f0_hz: float, rng: Rng) -> Values:
    return _effort(rng) | {
        "f0_hz": f0_hz * rng.uniform(1.3, 2.2),
        "formants": rng.uniform(1, 1.12),
        "excursion": rng.uniform(0.8, 1.6),
        "jitter": rng.uniform(0, 0.02),
    }


def _effort(rng: Rng) -> Values:
    """Loud and strained: a flatter spectrum, a smaller range of levels, and for some a growl and soft clipping."""
    return {
        "tilt_db": rng.uniform(2, 12),
        "compression": rng.uniform(0.5, 0.9),
        "growl": rng.uniform(0.2, 0.7) if rng.random() < 0.35 else 0.0,
        "drive": rng.uniform(1, 4) if rng.random() < 0.5 else 0.0,
        "level_dbfs": rng.uniform(-24, -10),
    }


def _song(f0_hz: float, rng: Rng) -> Values:
    return {
        "f0_hz": log_uniform(rng, (180, 600)),
        "formants": rng.uniform(1, 1.2),
        "notes": True,
        "excursion": rng.uniform(0.5, 1.5),
        "vibrato_hz": rng.uniform(4, 7),
        "vibrato_cents": rng.uniform(30, 100),
        "stretch": rng.uniform(1.2, 2.5),
        "vowels_only": True,
    }


def _word(f0_hz: float, rng: Rng) -> Values:
    return {
        "f0_hz": f0_hz * rng.uniform(0.95, 1.05),
        "floor_db": rng.uniform(50, 80),
        "pad_s": (rng.uniform(0.3, 1.5), rng.uniform(0.3, 1.5)),
    }


def _stretched(f0_hz: float, rng: Rng) -> Values:
    return _word(f0_hz, rng) | {
        "f0_hz": log_uniform(rng, (180, 450)),
        "formants": rng.uniform(1, 1.3),
        "tilt_db": rng.uniform(-15, 6),
        "stretch": rng.uniform(1.2, 3),
        "vowels_only": bool(rng.random() < 0.5),
        "excursion": rng.uniform(0.3, 1.2),
        "glide": rng.uniform(-7, 7),
        "vibrato_hz": rng.uniform(4, 7),
        "vibrato_cents": rng.uniform(0, 60),
    }


def _call(f0_hz: float, rng: Rng) -> Values:
    return _effort(rng) | {
        "f0_hz": log_uniform(rng, (250, 650)),
        "formants": rng.uniform(1, 1.35),
        "tilt_db": rng.uniform(-8, 10),
        "stretch": rng.uniform(1, 1.8),
        "vowels_only": True,
        "excursion": rng.uniform(0.5, 2),
        "glide": rng.uniform(-8, 8),
        "jitter": rng.uniform(0, 0.02),
        "floor_db": rng.uniform(45, 80),
        "pad_s": (rng.uniform(0.3, 1.5), rng.uniform(0.3, 1.5)),
    }


def _whisper(f0_hz: float, rng: Rng) -> Values:
    return {
        "f0_hz": 0.0,
        "formants": rng.uniform(1, 1.1),
        "tilt_db": rng.uniform(0, 8),
        "floor_db": rng.uniform(42, 60),
        "level_dbfs": rng.uniform(-36, -24),
    }


def _low(f0_hz: float, rng: Rng) -> Values:
    return {
        "f0_hz": f0_hz * rng.uniform(0.7, 0.9),
        "formants": rng.uniform(0.88, 1),
        "tilt_db": rng.uniform(-8, 0),
        "stretch": rng.uniform(1, 1.3),
        "excursion": rng.uniform(0.5, 1),
        "level_dbfs": rng.uniform(-36, -24),
    }


_DRAWS: dict[str, Callable[[float, Rng], Values]] = {
    "high": _high, "child": _child, "scream": _scream, "shout": _shout, "song": _song, "stretched": _stretched,
    "word": _word, "whisper": _whisper, "low": _low, "call": _call,
}  # fmt: skip
SINGLE_WORDS = ("stretched", "word", "call")  # made of one word or syllable; the others of some seconds
KINDS = {  # and their weights
    "high": 0.15, "child": 0.11, "scream": 0.1, "shout": 0.12, "song": 0.09, "stretched": 0.15, "word": 0.09,
    "whisper": 0.05, "low": 0.06, "call": 0.08,
}  # fmt: skip
