"""A noise behind a voice at a known SNR, by the levels that the networks were trained and are measured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from ..audio import levels
from ..audio.highpass import high_passed
from ..audio.signal import SAMPLE_RATE, Samples
from ..errors import InputError, UsageError, numeric
from ..system.files import atomic_write
from .manifest import load_audio

SNRS_DB = (-30.0, 60.0)
SILENT = 1e-7  # RMS
HIGHEST = 0.99  # peak of a mixture; a louder one is attenuated
FORMATS = {".wav": "WAV", ".flac": "FLAC"}


@dataclass(frozen=True)
class Mixture:
    """A voice with a noise behind it."""

    samples: Samples  # (n,) float32 at 16 kHz, as long as the voice
    voice_dbfs: float  # active levels in the mixture
    noise_dbfs: float
    attenuation_db: float  # of both, so that nothing clips


def mixed(voice: Samples, noise: Samples, snr_db: float) -> Mixture:
    """Lay a noise (m,) behind a voice (n,), both at 16 kHz, at an SNR in dB; a shorter one is repeated.

    Raises UsageError for an SNR out of range, and InputError for a voice or a noise that is silent.
    """
    check_snr(snr_db)
    behind = np.resize(noise, len(voice)) if len(noise) else np.zeros_like(voice)
    # An offset and rumble are no sound, as in the runtime.
    voice_rms, noise_rms = (levels.active_rms(high_passed(samples)) for samples in (voice, behind))
    for name, rms in (("voice", voice_rms), ("noise", noise_rms)):
        if not rms > SILENT:
            raise InputError(f"the {name} is silent, so it has no level. Give a recording with sound in it.")
    noise_gain = voice_rms / noise_rms * 10 ** (-snr_db / 20)
    behind = behind * noise_gain
    both = voice + behind
    gain = min(1.0, HIGHEST / float(np.abs(both).max()))
    voice_dbfs, noise_dbfs = (levels.dbfs((rms * gain) ** 2) for rms in (voice_rms, noise_rms * noise_gain))
    return Mixture(np.asarray(both * gain, np.float32), voice_dbfs, noise_dbfs, -20 * float(np.log10(gain)))


def check_snr(snr_db: float) -> None:
    """Raise UsageError for an SNR out of range."""
    low, high = SNRS_DB
    if not low <= numeric("SNR", snr_db) <= high:
        raise UsageError(f"the SNR is {snr_db:g} dB; allowed: {low:g} to {high:g}.")


def mix(voice: Path, noise: Path, snr_db: float, out: Path) -> Mixture:
    """Mix two recordings of any format and rate, and write the result as mono WAV or FLAC at 16 kHz.

    Raises what `mixed` raises, InputError for a recording that cannot be read, UsageError for another file format,
    and OutputError for a file that cannot be written.
    """
    if out.suffix.lower() not in FORMATS:
        raise UsageError(f"{out} is neither a .wav nor a .flac file. Name one of these with -o.")
    check_snr(snr_db)  # before anything is read
    for given in (voice, noise):
        if given.exists() and out.exists() and out.samefile(given):
            raise UsageError(f"{out} is one of the recordings, which would be replaced. Name another file with -o.")
    made = mixed(load_audio(voice), load_audio(noise), snr_db)
    with atomic_write(out, "wb") as file:
        sf.write(file, made.samples, SAMPLE_RATE, format=FORMATS[out.suffix.lower()], subtype="PCM_16")
    return made
