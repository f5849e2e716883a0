"""Rooms and recording chains, everything between a sound and its samples: drawn first, applied later."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from ..audio.levels import active_rms
from ..audio.signal import SAMPLE_RATE, WINDOW, Samples
from .config import MicrophoneConfig, RoomConfig
from .draw import Rng, attenuation, pick

CODECS = {"mp3": ("MP3", "MPEG_LAYER_III"), "vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}
RATES = {"8k": 8_000, "11k": 11_025}
MOST_DC = 0.1  # of full scale
_HZ = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
_OCTAVES = np.log2(np.maximum(_HZ, 20.0) / 20.0).astype(np.float32)  # above 20 Hz: 0..8.6
_LN_HZ = np.log(np.maximum(_HZ, 1e-3)).astype(np.float32)
_LN_SLOPE = np.log(_HZ + 50).astype(np.float32)
_COLOURS = 8  # points of a colouration
_COLOUR = np.minimum((_OCTAVES / _OCTAVES[-1] * (_COLOURS - 1)).astype(int), _COLOURS - 2)  # point below each bin
_BEYOND = _OCTAVES / _OCTAVES[-1] * (_COLOURS - 1) - _COLOUR  # distance of each bin from it: 0..1


@dataclass(frozen=True)
class Room:
    """A room impulse response with added damping: recorded halls ring for seconds, rooms for tenths of a second."""

    index: int  # of the impulse response
    t60_s: float  # reverberation time of the added damping
    wet: float  # gain of everything after the direct sound


@dataclass(frozen=True)
class Chain:
    """A microphone and its signal chain: frequency response, band limits, self-noise, AGC, clipping, coding."""

    colour_db: tuple[float, ...]  # gains at points equally spaced in octaves, 20 Hz to 8 kHz
    low_hz: float  # high-pass corner; 0: none
    high_hz: float  # low-pass corner
    order: int  # steepness of both, 6 dB per octave each
    floor_db: float  # self-noise, dB below the voice
    floor_slope: float  # spectrum of the self-noise: (f + 50 Hz) ** slope
    floor_limited: bool  # the band limits apply to the self-noise too, as on a telephone line
    clip_db: float  # how far below the peak samples are clipped; 0: none
    agc_db: float  # maximum boost of the automatic gain control; 0: none
    dc: float  # offset relative to the active level of the voice, signed; 0: none
    drift: float  # RMS of the infrasound, relative to it
    drift_hz: float  # highest frequency of the infrasound
    coding: str  # "float" | "int16" | "8bit" | "mulaw" | "8k" | "11k" | "mp3" | "vorbis" | "opus"


def draw_room(rng: Rng, rooms: int, config: RoomConfig) -> Room | None:
    """Draw a room; None if there are no impulse responses."""
    if not rooms:
        return None
    index, t60_s = int(rng.integers(rooms)), float(rng.uniform(*config.t60_s))
    return Room(index, t60_s, float(attenuation(rng, config.wet_db)))


def draw_chain(rng: Rng, config: MicrophoneConfig) -> Chain:
    """Draw a chain, anything from a laptop array to a studio condenser."""
    depth = rng.uniform(*config.colour_depth_db)
    colour = rng.uniform(-depth, depth, _COLOURS) + np.linspace(0, rng.uniform(*config.tilt_db), _COLOURS)
    low, high, order = _draw_band(rng, config)
    coding = pick(rng, config.codings)
    floor_db = config.quiet_floor_db if rng.random() < config.quiet_share else config.floor_db
    sign = rng.choice((-1.0, 1.0))
    return Chain(
        colour_db=tuple(colour.tolist()),
        low_hz=low,
        high_hz=high,
        order=order,
        floor_db=float(rng.uniform(*floor_db)),
        floor_slope=float(rng.uniform(*config.floor_slope)),
        floor_limited=bool(rng.random() < config.floor_limited_share),
        clip_db=float(rng.uniform(*config.clip_db)) if rng.random() < config.clip_share else 0.0,
        agc_db=float(rng.uniform(*config.agc_db)) if rng.random() < config.agc_share else 0.0,
        dc=float(sign * 10 ** (rng.uniform(*config.dc_db) / 20)) if rng.random() < config.dc_share else 0.0,
        drift=float(10 ** (rng.uniform(*config.drift_db) / 20)) if rng.random() < config.drift_share else 0.0,
        drift_hz=float(rng.uniform(*config.drift_hz)),
        coding=coding,
    )


def _draw_band(rng: Rng, config: MicrophoneConfig) -> tuple[float, float, int]:
    """Draw the lower and upper corner frequencies (Hz) and the filter order."""
    kind = rng.random()
    if kind < config.telephone_share:
        low, high = rng.uniform(*config.telephone_low_hz), rng.uniform(*config.telephone_high_hz)
        return float(low), float(high), int(rng.integers(*config.telephone_order))
    if kind < (share := config.telephone_share + config.narrow_share):
        low, high = rng.uniform(*config.narrow_low_hz), rng.uniform(*config.narrow_high_hz)
        return float(low), float(high), int(rng.integers(*config.narrow_order))
    if kind < share + config.rumble_share:
        return float(rng.uniform(*config.rumble_low_hz)), 8000.0, int(rng.integers(*config.rumble_order))
    return 0.0, 8000.0, 4


def coloured_noise(rng: Rng, slope: float, curve: NDArray[np.float32] | None = None) -> Samples:
    """Gaussian noise (48000,) of unit RMS with the amplitude spectrum (f + 50 Hz) ** slope.

    It is then filtered with a magnitude response (24001,), if there is one.
    """
    shape = np.exp(np.float32(slope) * _LN_SLOPE)
    spectrum = gaussian_spectrum(rng.standard_normal((2, len(_HZ)), dtype=np.float32), shape)
    return np.asarray(np.fft.irfft(spectrum if curve is None else spectrum * curve, WINDOW), np.float32)


def gaussian_spectrum(parts: NDArray[np.floating], shape: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Spectrum (24001,) of noise (48000,) of unit RMS, from Gaussian real and imaginary parts (2, 24001)."""
    spectrum = np.empty(len(_HZ), np.complex64)
    spectrum.real, spectrum.imag = parts * shape
    spectrum[0], spectrum.imag[-1] = 0, 0  # no DC, and the highest frequency has no phase
    energy = 2 * np.square(spectrum.view(np.float32)).sum() - spectrum.real[-1] ** 2  # Parseval's theorem
    return np.asarray(spectrum * np.float32(WINDOW / (np.sqrt(energy) + 1e-30)), np.complex64)


def band_curve(mic: Chain) -> NDArray[np.float32]:
    """Magnitude response of the band limits on the FFT grid of a window: (24001,)."""
    return _band(mic.low_hz, mic.high_hz, mic.order)


def _band(low_hz: float, high_hz: float, order: int) -> NDArray[np.float32]:
    curve = np.ones(len(_HZ), np.float32)
    if high_hz < 8000:
        curve /= np.sqrt(1 + _steep(high_hz, order))
    if low_hz > 0:
        steep = _steep(low_hz, order)
        curve *= np.sqrt(steep / (1 + steep))
    return curve


def _steep(corner_hz: float, order: int) -> NDArray[np.float32]:
    """(f / corner) ** (2 order), limited to what single precision can hold: (24001,)."""
    return np.asarray(np.exp(np.minimum((_LN_HZ - np.float32(np.log(corner_hz))) * (2 * order), 80)), np.float32)


def telephone_curve() -> NDArray[np.float32]:
    """Magnitude response of a telephone line, 300 to 3400 Hz: (24001,)."""
    return _band(300.0, 3400.0, 8)


def microphone_curve(mic: Chain) -> NDArray[np.float32]:
    """Magnitude response of the whole chain: (24001,)."""
    points = np.array(mic.colour_db, np.float32)
    colour = points[_COLOUR] + np.diff(points)[_COLOUR] * _BEYOND
    return _gain(colour) * band_curve(mic)


def tilted(curve: NDArray[np.float32], tilt_db: float) -> NDArray[np.float32]:
    """The curve (24001,) plus a spectral tilt linear in octaves: 0 dB at 20 Hz, tilt_db at 8 kHz."""
    return curve * _gain(_OCTAVES * np.float32(tilt_db / _OCTAVES[-1]))


def _gain(db: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.exp(db * np.float32(np.log(10) / 20)), np.float32)


def automatic_gain(samples: Samples, most_db: float) -> Samples:
    """Linear gain (n,) of an AGC that boosts quiet passages by up to most_db, averaging over 0.5 s."""
    power = moving_average(samples**2, SAMPLE_RATE // 2)
    below_db = 10 * np.log10((power.max() + 1e-12) / np.maximum(power, 1e-12))
    return np.asarray(10 ** (np.minimum(below_db, most_db) / 20), np.float32)


def moving_average(x: Samples, width: int) -> Samples:
    """Centred moving average of x (n,) over `width` samples."""
    padded = np.pad(x.astype(np.float64), (width // 2 + 1, width - width // 2 - 1), mode="edge")
    total = np.cumsum(padded)
    return np.asarray((total[width:] - total[:-width])[: len(x)] / width, np.float32)


def room_response(room: Room, response: Samples) -> Samples:
    """The damped impulse response, starting at the direct sound, with unit energy: (n,), at most 0.6 s."""
    start = int(np.abs(response).argmax())
    h = response[start : start + int(0.6 * SAMPLE_RATE)].astype(np.float32)
    t = np.arange(len(h), dtype=np.float32) / SAMPLE_RATE
    h = h * np.exp(-6.9 * t / room.t60_s)
    h[40:] *= room.wet  # the first 2.5 ms are the direct sound
    return np.asarray(h / (np.sqrt((h**2).sum()) + 1e-9), np.float32)


def filtered(samples: Samples, curve: NDArray[np.float32], response: Samples | None) -> Samples:
    """Samples (48000,) convolved with a magnitude and a room response, circularly: the tail wraps around."""
    spectrum = transformed(samples) * curve
    if response is not None:
        spectrum *= transformed(response)
    return np.asarray(np.fft.irfft(spectrum, WINDOW), np.float32)


def transformed(samples: NDArray[np.floating], size: int = WINDOW) -> NDArray[np.complex64]:
    """The spectrum of samples (n,), padded with zeros to a size: (size // 2 + 1,).

    NumPy transforms double precision in half the time of single precision; for the inverse, it is the reverse.
    """
    return np.fft.rfft(samples.astype(np.float64), size).astype(np.complex64)


def coded(samples: Samples, coding: str) -> Samples:
    """Samples (n,) after a round trip through a sample format, a lower sample rate or a lossy codec."""
    if coding == "int16":
        return np.asarray(np.round(samples * 32767) / 32767, np.float32)
    if coding == "8bit":
        return np.asarray(np.round(samples * 127) / 127, np.float32)
    if coding == "mulaw":  # ITU-T G.711, continuous form
        y = np.round(np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256) * 127) / 127
        return np.asarray(np.sign(y) * np.expm1(np.abs(y) * np.log(256)) / 255, np.float32)
    if coding in RATES:
        lower = soxr.resample(samples, SAMPLE_RATE, RATES[coding], quality="MQ")
        return np.resize(soxr.resample(lower, RATES[coding], SAMPLE_RATE, quality="MQ"), len(samples))
    if coding in CODECS:
        kind, subtype = CODECS[coding]
        file = io.BytesIO()
        sf.write(file, samples, SAMPLE_RATE, format=kind, subtype=subtype)
        file.seek(0)
        back, _ = sf.read(file, dtype="float32")
        # Codecs may pad: np.resize trims or wraps a few milliseconds.
        return np.asarray(np.resize(back, len(samples)), np.float32)
    return samples


def clipped(samples: Samples, clip_db: float) -> Samples:
    """Samples (n,) hard-clipped at clip_db below their peak; 0: unchanged."""
    limit = float(np.abs(samples).max()) * 10 ** (-clip_db / 20)
    return np.clip(samples, -limit, limit) if clip_db else samples


def limited(samples: Samples, ceiling_db: float) -> Samples:
    """Samples (n,) through a soft limiter (tanh) with a ceiling in dB above their active level."""
    ceiling = np.float32(active_rms(samples) * 10 ** (ceiling_db / 20) + 1e-9)
    return np.asarray(ceiling * np.tanh(samples / ceiling), np.float32)


def infrasound(mic: Chain, dbfs: float, rng: Rng) -> Samples:
    """DC and infrasound (48000,) that a chain adds to a voice of level dbfs; each at most 0.1 of full scale."""
    level = 10 ** (dbfs / 20)
    offset = np.full(WINDOW, np.clip(mic.dc * level, -MOST_DC, MOST_DC), np.float32)
    if not mic.drift:
        return offset
    spectrum = np.zeros(len(_HZ), np.complex64)
    bins = max(1, int(mic.drift_hz * WINDOW / SAMPLE_RATE))
    spectrum[1 : bins + 1] = rng.standard_normal(2 * bins, np.float32).view(np.complex64)
    drift = np.fft.irfft(spectrum, WINDOW)
    return np.asarray(offset + drift * (min(mic.drift * level, MOST_DC) / drift.std()), np.float32)


def at_level(samples: Samples, dbfs: float) -> Samples:
    """Samples (n,) scaled to an active level in dBFS."""
    return np.asarray(samples * (10 ** (dbfs / 20) / (active_rms(samples) + 1e-9)), np.float32)
