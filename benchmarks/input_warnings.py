"""How many defective inputs are recognised, and how many ordinary recordings raise a warning.

    python benchmarks/input_warnings.py DATA                      # recordings that are not test data
    python benchmarks/input_warnings.py DATA --split test --count 100

DATA is a folder with a manifest. For each warning, cases are made of clean recordings (10 s of one speaker, floor
40 dB below the voice) in two ways: by this script, and by filters of ffmpeg. A case is found if at least half of
its readings show the reason, or of those that are judged the warning (less for `gated` and `gain_riding`, which
only pauses show, and for `suppressed`, which takes 4 s). Then, by source, the share of the readings of recordings
as they are that show each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soxr

from noisewatch import NoiseDetector
from noisewatch.audio.levels import active_rms
from noisewatch.audio.signal import SAMPLE_RATE, Samples
from noisewatch.core.events import Reading
from noisewatch.corpus import tracks
from noisewatch.corpus.manifest import Row, load_audio, read_manifest

SECONDS = 10
HOP_S = 0.5
REASONS = ("muted", "dead_channel")
SHARE = {
    "gated": 0.2,
    "gain_riding": 0.3,
    "suppressed": 0.3,
}  # of the readings of a case that have to show it; otherwise half
Rng = np.random.Generator
Maker = Callable[[Samples, Rng], Samples]


def streams(recordings: list[Row], folder: Path, rng: Rng, least_s: float) -> Iterator[tuple[str, Samples]]:
    """Source and samples of streams of 10 s at most: the takes of each speaker in a row, in random order."""
    speakers: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for recording in recordings:
        speakers[recording.source, recording.group].append(recording)
    for number in rng.permutation(len(speakers)):
        (source, _), takes = list(speakers.items())[number]
        parts = [load_audio(folder / take.path) for take in takes[:12]]
        joined = np.concatenate(parts)[: SECONDS * SAMPLE_RATE]
        if len(joined) >= least_s * SAMPLE_RATE:
            yield source, joined


def to_16_bits(samples: Samples) -> Samples:
    """The samples (n,) as a converter of 16 bits gives them."""
    return np.asarray(np.clip(np.round(samples * 32768), -32768, 32767) / 32768, np.float32)


def filtered(*filters: str) -> Maker:
    """A maker that runs filters of ffmpeg. `LEVEL` in them stands for the active level of the voice (linear)."""

    def make(samples: Samples, rng: Rng) -> Samples:
        chain = str(rng.choice(filters)).replace("LEVEL", f"{active_rms(samples):.5f}")
        raw = ["-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1"]
        done = subprocess.run(
            ["ffmpeg", "-v", "error", *raw, "-i", "-", "-filter_complex", chain, *raw, "-"],
            input=(to_16_bits(samples) * 32768).astype("<i2").tobytes(), capture_output=True, check=True,
        )  # fmt: skip
        return np.asarray(np.frombuffer(done.stdout, "<i2") / 32768, np.float32)[: len(samples)]

    return make


def telephone(samples: Samples, rng: Rng) -> Samples:
    """Sampled at 8 kHz in 8 bits of mu-law or in 13 bits, with dither."""
    slow = soxr.resample(samples / max(1e-9, float(np.abs(samples).max())) * 0.5, SAMPLE_RATE, 8000)
    if rng.random() < 0.5:
        law = np.sign(slow) * np.log1p(255 * np.abs(slow)) / np.log(256)
        law = np.round(law * 127) / 127
        slow = np.sign(law) * (256 ** np.abs(law) - 1) / 255
    else:
        slow = np.round(slow * 4096 + rng.uniform(-0.5, 0.5, len(slow))) / 4096
    return np.asarray(soxr.resample(slow, 8000, SAMPLE_RATE), np.float32)


def hum(samples: Samples, rng: Rng) -> Samples:
    """Mains hum with its multiples, 10 to 28 dB below the voice."""
    time_s = np.arange(len(samples)) / SAMPLE_RATE
    mains = rng.choice([50, 60]) * (1 + rng.uniform(-0.002, 0.002))
    strength = 10 ** (-rng.uniform(0, 20, 8) / 20)
    waves = np.sin(2 * np.pi * mains * np.arange(1, 9)[:, None] * time_s + rng.uniform(0, 2 * np.pi, (8, 1)))
    added = strength @ waves
    added *= active_rms(samples) * 10 ** (-rng.uniform(10, 28) / 20) / np.sqrt((added**2).mean())
    return to_16_bits(samples + added)


def hard_gate(samples: Samples, rng: Rng) -> Samples:
    """A fifth to a third of the time, where the voice is weakest, is zero."""
    frames = np.pad(samples, (0, -len(samples) % 320)).reshape(-1, 320)
    level = np.convolve((frames**2).mean(1), np.ones(5) / 5, "same")
    closed = level < np.quantile(level, rng.uniform(0.2, 0.33))
    return np.asarray(np.where(np.repeat(closed, 320)[: len(samples)], 0, samples), np.float32)


def buzz(hz: int) -> str:
    """A filter that adds a buzz of this frequency, 26 dB below the voice in each line."""
    tones = "+".join(f"sin(2*PI*{hz * k}*t)/{k}" for k in (1, 2, 3, 5))
    return f"aevalsrc='0.07*LEVEL*({tones})':s={SAMPLE_RATE}:d={SECONDS}[h];[0][h]amix=duration=first:normalize=0"


def conversation(samples: Samples, rng: Rng) -> Samples:
    """Pieces of 1.5 to 3 s, with pauses of 0.8 to 2 s of their own floor between them."""
    floor, pieces, start = tracks.own_floor(samples, rng), [], 0
    while start < len(samples):
        end = start + int(rng.uniform(1.5, 3) * SAMPLE_RATE)
        pause = np.resize(np.roll(floor, int(rng.integers(len(floor)))), int(rng.uniform(0.8, 2) * SAMPLE_RATE))
        pieces += [samples[start:end], pause]
        start = end
    return np.concatenate(pieces)


def gain_control(samples: Samples, rng: Rng) -> Samples:
    """A conversation through a gain that falls within 5 ms of a loud sound, and rises by 6 to 25 dB/s after it."""
    spoken = conversation(samples, rng)
    voice, size = active_rms(samples), 80
    levels = np.sqrt((spoken[: len(spoken) // size * size].reshape(-1, size) ** 2).mean(1))
    most = 0.1 / voice * 10 ** (rng.uniform(18, 30) / 20)
    up = 10 ** (rng.uniform(6, 25) / 20 * size / SAMPLE_RATE)
    hold, held, gain, envelope, gains = int(rng.uniform(10, 80)), 0, 0.1 / voice, 0.0, []
    for level in levels:
        envelope = max(float(level), 0.97 * envelope)
        wanted = 0.13 / max(envelope, 1e-6)
        if wanted < gain:
            gain, held = wanted, hold
        elif held:
            held -= 1
        else:
            gain = min(gain * up, most, wanted)
        gains.append(gain)
    ramp = np.interp(np.arange(len(spoken)), np.arange(len(gains)) * size + size / 2, gains)
    return to_16_bits(np.asarray(spoken * ramp, np.float32))


def hiss(samples: Samples, rng: Rng, before_s: float = 0.0) -> Samples:
    """Steady noise of a random spectrum, 5 to 25 dB below the voice, as long as the samples and `before_s`."""
    count = len(samples) + round(before_s * SAMPLE_RATE)
    spectrum, hz = np.fft.rfft(rng.standard_normal(count)), np.fft.rfftfreq(count, 1 / SAMPLE_RATE) + 20
    shape_db = np.interp(np.log(hz), np.log(np.geomspace(20, 8000, 6)), rng.uniform(-6, 6, 6))
    noise = np.fft.irfft(spectrum * (hz / 1000) ** rng.uniform(-1, 0.1) * 10 ** (shape_db / 20), count)
    return at_snr(noise.astype(np.float32), samples, rng)


def at_snr(noise: Samples, samples: Samples, rng: Rng) -> Samples:
    """The noise at 5 to 25 dB below the voice."""
    gain = active_rms(samples) / np.sqrt((noise**2).mean()) * 10 ** (-rng.uniform(5, 25) / 20)
    return np.asarray(noise * gain, np.float32)


def normalised(samples: Samples, rng: Rng) -> Samples:
    """With peaks of -14 to -2 dBFS."""
    return np.asarray(samples / np.abs(samples).max() * 10 ** (-rng.uniform(2, 14) / 20), np.float32)


def attenuated(samples: Samples, rng: Rng) -> Samples:
    """Through a suppressor: spectral subtraction, a Wiener filter, or one that is decision-directed.

    The noise is estimated from the quietest quarter of each bin. Gains end at -20 to -40 dB.
    """
    size, hop = 512, int(rng.choice([128, 256]))
    window = np.sqrt(np.hanning(size + 1)[:-1])
    least, rule = 10 ** (-rng.uniform(20, 40) / 20), rng.choice(["subtraction", "wiener", "directed"])
    most = {"subtraction": 3.0, "wiener": 2.5, "directed": 1.5}[rule]
    padded = np.pad(samples, (size, size))
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window)
    power = np.abs(spectra) ** 2
    noise = np.log(np.quantile(power, 0.25, axis=0) / 0.36 + 1e-12)
    noise = np.exp(np.convolve(np.pad(noise, 4, "edge"), np.ones(9) / 9, "valid")) * rng.uniform(1, most)
    ratio = power / noise
    gains = np.maximum(1 - 1 / np.maximum(ratio, 1e-6), 0)
    if rule == "subtraction":
        gains = np.sqrt(gains)
    if rule == "directed":
        before = np.zeros(power.shape[1])
        for number, now in enumerate(ratio):
            prior = np.maximum(0.98 * before + 0.02 * np.maximum(now - 1, 0), least**2)
            gains[number] = prior / (1 + prior)
            before = gains[number] ** 2 * now
    kept = rng.choice([0, 0.3, 0.6])
    for number in range(1, len(gains)):
        gains[number] = kept * gains[number - 1] + (1 - kept) * gains[number]
    made = np.zeros(len(padded) + size)
    for number, frame in enumerate(np.fft.irfft(np.maximum(gains, least) * spectra) * window):
        made[number * hop : number * hop + size] += frame
    return to_16_bits(made.astype(np.float32)[size : size + len(samples)] * hop / (size / 2))


def suppressor(samples: Samples, rng: Rng) -> Samples:
    """A conversation in noise, through a suppressor."""
    spoken = conversation(samples, rng)
    return attenuated(normalised(spoken + hiss(spoken, rng), rng), rng)


def denoised(samples: Samples, noise: Samples, rng: Rng) -> Samples:
    """The voice in noise, which begins 1 s before it for the filter to learn, through ffmpeg's afftdn."""
    before = len(noise) - len(samples)
    filters = [f"asendcmd=c='0.1 afftdn sn start; 0.9 afftdn sn stop',afftdn=nr={db}:nf=-30" for db in (20, 30, 40)]
    return filtered(*filters)(normalised(np.pad(samples, (before, 0)) + noise, rng), rng)[before:]


def afftdn(samples: Samples, rng: Rng) -> Samples:
    """A conversation in noise, through ffmpeg's afftdn."""
    spoken = conversation(samples, rng)
    return denoised(spoken, hiss(spoken, rng, before_s=1.0), rng)


def conversing(make: Maker) -> Maker:
    """The maker, on a conversation."""
    return lambda samples, rng: make(conversation(samples, rng), rng)


CASES: dict[str, tuple[Maker, Maker]] = {  # warning or reason: made by this script, by ffmpeg
    "muted": (
        lambda x, rng: to_16_bits(rng.normal(0, 10 ** (rng.uniform(-97, -88) / 20), len(x)).astype(np.float32)),
        filtered(*(f"volume=-{db}dB,aeval=val(0)+1e-4*(random(0)-0.5)" for db in (90, 110))),
    ),
    "dead_channel": (
        lambda x, rng: np.full(len(x), rng.uniform(0.001, 0.5) * rng.choice([-1, 1]), np.float32),
        filtered("aeval=0.02", "aeval=-0.3"),
    ),
    "clipping": (
        lambda x, rng: np.clip(x / np.abs(x).max() * 10 ** (rng.uniform(6, 20) / 20), -1, 1),
        filtered("volume=0.5/LEVEL", "volume=2/LEVEL"),
    ),
    "gated": (
        hard_gate,
        conversing(
            filtered(*(f"agate=threshold=LEVEL/{n}:range=0:attack=5:release=50:ratio=9000" for n in (8, 16)))
        ),
    ),
    "dc": (
        lambda x, rng: to_16_bits(x * 0.5 + rng.uniform(0.015, 0.3) * rng.choice([-1, 1])),
        filtered(*(f"volume=-6dB,dcshift={offset}" for offset in (0.02, -0.05, 0.2))),
    ),
    "band_limited": (
        telephone,
        filtered("aresample=8000,aresample=16000", "volume=0.5,aresample=8000,alimiter,aresample=16000"),
    ),
    "hum": (hum, filtered(buzz(50), buzz(60))),
    "gain_riding": (
        gain_control,
        conversing(
            filtered(
                "volume=0.05/LEVEL,dynaudnorm=f=100:g=5:m=30:p=0.5",
                "volume=0.05/LEVEL,compand=attacks=0.02:decays=0.4:points=-90/-60|-70/-40|-26/-20|0/-12:gain=0",
            )
        ),
    ),
    "suppressed": (suppressor, afftdn),
}  # fmt: skip


def readings(detector: NoiseDetector, samples: Samples) -> list[Reading]:
    """The readings of a stream of these samples."""
    stream = detector.stream(hop=HOP_S)
    items = [*stream.process(samples), *stream.finish()]
    return [item for item in items if isinstance(item, Reading)]


def shows(made: list[Reading], name: str) -> bool:
    """Whether enough of the readings of a case show a reason or a warning."""
    told = [name in (r.reason, *r.warnings) for r in made if r.noise is not None or name in REASONS]
    return sum(told) >= SHARE.get(name, 0.5) * len(told) > 0


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=["train", "val", "test"], action="append")
    parser.add_argument("--count", type=int, default=50, help="cases by each maker")
    parser.add_argument("--only", choices=CASES, action="append", help="only these")
    given = parser.parse_args()
    splits = given.split or ["train", "val"]
    rng, detector = np.random.default_rng(0), NoiseDetector("tcn")

    recordings = [r for r in read_manifest(given.data) if r.kind == "speech" and r.split in splits]
    clean = [r for r in recordings if r.floor_db is not None and r.floor_db >= 40]
    voices = [samples for _, samples in streams(clean, given.data, rng, SECONDS - 1)]
    print(f"{len(voices)} voices, split {', '.join(splits)}; found of {given.count}: by this script, by ffmpeg")
    missed = False
    for name, makers in CASES.items():
        if given.only and name not in given.only:
            continue
        found = []
        for make in makers:
            count = 0
            for number in range(given.count):
                count += shows(readings(detector, make(voices[number % len(voices)], rng)), name)
            found.append(count)
        missed |= min(found) < 0.95 * given.count
        print(f"  {name:14} {found[0]:4} {found[1]:4}", flush=True)

    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for source, samples in streams(recordings, given.data, rng, 4):
        for reading in readings(detector, samples):
            shares[source].update(["readings", *filter(None, [reading.reason]), *reading.warnings])
    print("recordings as they are: readings, and the share with each")
    for source, counts in sorted(shares.items()):
        total = counts.pop("readings")
        each = ", ".join(f"{name} {n / total:.1%}" for name, n in sorted(counts.items()))
        print(f"  {source:28} {total:5}  {each}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
