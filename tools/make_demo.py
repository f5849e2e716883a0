"""Generates noisewatch/demo.flac: a voice, noise rising behind it, and the voice alone again.

    apt install flite && python tools/make_demo.py

The voices are flite's `slt` and `rms` (CMU, free to use for any purpose); the noises are synthesised here.
The same version of flite gives the same clip.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16_000
OUT = Path(__file__).parent.parent / "noisewatch" / "demo.flac"

CLEAN = (
    "Hello. This is a clip that comes with noise watch. Right now, you hear a voice, and nothing else behind it."
)
RISING = "Now a fan begins to turn behind me. It grows louder and louder, while I go on speaking as before."
LOUD = "And now somebody types on a keyboard as well. The others hear all of this, even if I do not."
AGAIN = "The noise is gone. The meter should fall back, and say clean, a few seconds after it has stopped."


def speak(voice: str, text: str) -> np.ndarray:
    """Synthesised speech (n,) float64 at 16 kHz, with an active level of about -24 dBFS."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        samples, rate = sf.read(path)
    assert rate == RATE, rate
    return np.asarray(samples * 10 ** (-24 / 20) / np.sqrt((samples[np.abs(samples) > 0.01] ** 2).mean()))


def coloured(rng: np.random.Generator, n: int, slope: float) -> np.ndarray:
    """Gaussian noise (n,) of unit RMS, with the amplitude spectrum (f + 80 Hz) ** slope."""
    spectrum = np.fft.rfft(rng.standard_normal(n)) * (np.fft.rfftfreq(n, 1 / RATE) + 80) ** slope
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / noise.std())


def fan(rng: np.random.Generator, n: int) -> np.ndarray:
    """A fan (n,): air noise, and the hum of the blades."""
    t = np.arange(n) / RATE
    blades = sum(np.sin(2 * np.pi * 118 * h * t + h) / h for h in range(1, 6))
    return coloured(rng, n, -0.8) * (1 + 0.1 * np.sin(2 * np.pi * 3.1 * t)) + 0.25 * blades


def typing(rng: np.random.Generator, n: int) -> np.ndarray:
    """Keystrokes (n,): two clicks each, about six per second."""
    out = np.zeros(n + RATE)
    at = 0.0
    while at < n / RATE:
        for delay, gain in ((0.0, 1.0), (0.07, 0.5)):
            k = int((at + delay) * RATE)
            length = int(0.03 * RATE)
            click = coloured(rng, length, 0.3) * np.exp(-np.arange(length) / (0.004 * RATE))
            out[k : k + length] += gain * rng.uniform(0.6, 1.2) * click
        at += rng.exponential(0.1) + 0.07
    return out[:n]


def main() -> None:
    """Render, mix and write the clip."""
    rng = np.random.default_rng(5)
    pause = np.zeros(int(0.6 * RATE))
    parts = [speak("slt", CLEAN), pause, speak("slt", RISING), pause, speak("rms", LOUD), pause]
    begin, loud, end = (sum(len(p) for p in parts[:k]) for k in (2, 4, 6))
    voice = np.concatenate([*parts, speak("slt", AGAIN), pause])
    n = len(voice)
    # The fan rises from 40 to 10 dB below the voice, and stays there.
    rise_db = np.minimum(0, np.linspace(-30, 30 * (end - loud) / (loud - begin), end - begin))
    noise = np.zeros(n)
    noise[begin:end] = fan(rng, end - begin) * 10 ** ((rise_db - 34) / 20)
    noise[loud:end] += typing(rng, end - loud) * 10 ** (-28 / 20)
    microphone = coloured(rng, n, -0.4) * 10 ** (-80 / 20)
    clip = voice + noise + microphone
    assert np.abs(clip).max() < 1, np.abs(clip).max()
    sf.write(OUT, clip, RATE, subtype="PCM_16")
    print(
        f"{OUT}: {n / RATE:.1f} s; noise from {begin / RATE:.1f} to {end / RATE:.1f} s; {OUT.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
