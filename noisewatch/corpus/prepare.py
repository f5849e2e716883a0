"""Manifests from folders of recordings, and a small generated set to try the rest on."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ..audio import levels
from ..audio.logmel import high_passed
from ..audio.signal import SAMPLE_RATE
from ..decoding.suffixes import SUFFIXES
from ..errors import InputError
from ..system.files import atomic_write
from ..ui import terminal
from .channel import coloured_noise
from .collections import Found, find, nameless
from .manifest import Row, assign_splits, check_splits, read_audio, write_manifest


def prepare(folders: Mapping[str, Sequence[Path]], out: Path, *, seed: int = 0) -> Path:
    """Write out/manifest.csv for folders or csv files by kind (speech, noise, rir); returns its path.

    What a name or a folder says of speaker and original recording is kept (`layouts`); rows of a manifest
    keep their split and licence. Files that cannot be read are listed and left out.
    """
    console = terminal.console(stderr=True)
    rows: list[Row] = []
    rates: dict[str, Counter[int]] = defaultdict(Counter)
    skipped, unnamed = [], 0
    for kind, roots in folders.items():
        for root in roots:
            files = list(find(root, kind))
            if not files:
                raise InputError(f"{root} holds no recording of {kind} ({', '.join(sorted(SUFFIXES))}).")
            for found in track(files, f"{kind} {root}", console=console, transient=True):
                try:
                    row, rate = _row(found, kind)
                except InputError as error:
                    skipped.append(str(error))
                    continue
                rows.append(row)
                rates[kind][rate] += 1
                unnamed += kind == "speech" and nameless(found)
    for kind in ("speech", "noise"):
        if not any(r.kind == kind for r in rows):
            first = f" The first reason: {skipped[0]}." if skipped else ""
            raise InputError(f"none of the {kind} recordings can be used ({len(skipped)} left out).{first}")
    rows = assign_splits(rows, seed)
    check_splits(rows)
    manifest = out / "manifest.csv"
    write_manifest(manifest, rows)
    _summarise(console, rows, rates, skipped, manifest)
    if unnamed:
        console.print(
            f"warning: nothing says who speaks in {unnamed} recordings of speech, so a voice may lie in two "
            "splits, and validation flatters. Sort them into one folder a speaker.",
            highlight=False,
        )
    return manifest


def _row(found: Found, kind: str) -> tuple[Row, int]:
    """A recording's row, and its own sample rate."""
    path = found.path
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"cannot use {path!r}: its name is no UTF-8, and a csv cannot hold it") from error
    samples, rate = read_audio(path)
    if not len(samples) or not np.abs(samples).max() > 0:
        raise InputError(f"cannot use {path}: {'digital silence' if len(samples) else 'no samples'}")
    row = Row(
        path=str(path.absolute()),
        kind=kind,
        source=found.source,
        group=found.group,
        seconds=len(samples) / SAMPLE_RATE,
        split="",
        ship="no",  # nobody but the owner knows; edit the column where the licence allows it
        floor_db=levels.floor_db(high_passed(samples)) if kind == "speech" else None,
        licence="",
    )
    return found.row or row, rate


def _summarise(
    console: Console,
    rows: Sequence[Row],
    rates: Mapping[str, Mapping[int, int]],
    skipped: Sequence[str],
    manifest: Path,
) -> None:
    for kind in dict.fromkeys(r.kind for r in rows):
        mine = [r for r in rows if r.kind == kind]
        splits = ", ".join(f"{s} {sum(r.split == s for r in mine)}" for s in ("train", "val", "test"))
        console.print(
            f"{kind}: {len(mine)} recordings, {sum(r.seconds for r in mine) / 60:.1f} minutes, "
            f"{len({(r.source, r.group) for r in mine})} groups; recordings by split: {splits}",
            highlight=False,
        )
        heard = ", ".join(f"{n} at {rate} Hz" for rate, n in sorted(rates[kind].items()))
        console.print(f"  {heard}", highlight=False)
        kinds = Counter(r.group.split(":")[0] for r in mine if kind == "noise" and ":" in r.group)
        if kinds:
            console.print(f"  kinds: {', '.join(f'{k} {n}' for k, n in kinds.most_common())}", highlight=False)
        if kind != "rir" and len({r.source for r in mine}) == 1:
            console.print(
                f"  warning: all {kind} is from one source, {mine[0].source}: the network can learn its "
                "microphone and rooms in place of the noise. Add another.",
                highlight=False,
                soft_wrap=True,
            )
        empty = [s for s in ("train", "val") if not any(r.split == s for r in mine)]
        if kind != "rir" and empty:
            who = "speakers" if kind == "speech" else "recordings"
            console.print(
                f"  warning: no {kind} for {' and '.join(empty)}, and `train` needs both: there have to be three "
                f"{who} at least. What names and folders tell apart counts as one.",
                highlight=False,
                soft_wrap=True,
            )
        if kind == "speech":
            clean = sum((r.floor_db or 0) >= 40 for r in mine)
            console.print(f"  {clean} have a floor of 40 dB or better and can teach what clean is", highlight=False)
    for sentence in skipped[:20]:
        console.print(f"left out: {sentence}", highlight=False, markup=False, soft_wrap=True)
    if len(skipped) > 20:
        console.print(f"left out: {len(skipped) - 20} more")
    console.print(f"{manifest}", highlight=False, soft_wrap=True)


def generate(out: Path, *, seed: int = 0, speakers: int = 10, noises: int = 15, seconds: float = 6.0) -> Path:
    """Write a toy set into out/ and its manifest: buzzing vowels for voices, filtered noise for noises.

    Enough to try every command in a minute; nothing trained on it is of use on a microphone.
    """
    rng = np.random.default_rng(seed)
    for s in range(speakers):
        for take in range(2):
            _write(out / "speech" / f"speaker{s:02}" / f"take{take}.flac", _babbler(rng, 90 + 20 * s, seconds))
    for n in range(noises):
        _write(out / "noise" / f"noise{n:02}.flac", _racket(rng, n, seconds))
    return prepare({"speech": [out / "speech"], "noise": [out / "noise"]}, out, seed=seed)


def _write(path: Path, samples: NDArray[np.floating]) -> None:
    peak = float(np.abs(samples).max())
    encoded = io.BytesIO()
    sf.write(encoded, samples / peak * 0.5, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    with atomic_write(path, "wb") as file:
        file.write(encoded.getvalue())


def _babbler(rng: np.random.Generator, pitch_hz: float, seconds: float) -> NDArray[np.floating]:
    """A voice without words: a pulse train through two formants, in syllables with pauses."""
    n = int(seconds * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    voice = np.zeros(n)
    start = int(0.2 * SAMPLE_RATE)
    while start < n - SAMPLE_RATE // 2:
        length = int(rng.uniform(0.12, 0.3) * SAMPLE_RATE)
        span = slice(start, start + length)
        phase = 2 * np.pi * pitch_hz * rng.uniform(0.85, 1.2) * t[span]
        formants = rng.uniform([300, 900], [800, 2300])
        gains = [1 / (1 + ((h * pitch_hz - f) / 150) ** 2) for h in range(1, 30) for f in formants]
        tones = [np.sin(h * phase) for h in range(1, 30) for _ in formants]
        voice[span] += np.hanning(length) * np.tensordot(gains, tones, axes=1)
        start += length + int(rng.choice([0.02, 0.05, 0.4]) * SAMPLE_RATE)
    return np.asarray(voice + 1e-3 * np.abs(voice).max() * np.resize(coloured_noise(rng, -0.5), n))


def _racket(rng: np.random.Generator, number: int, seconds: float) -> NDArray[np.floating]:
    """A steady hiss, a hum or a series of knocks."""
    n = int(seconds * SAMPLE_RATE)
    hiss = np.resize(coloured_noise(rng, rng.uniform(-1.2, 0.3)), n)
    if number % 3 == 1:
        t = np.arange(n) / SAMPLE_RATE
        tones = [np.sin(2 * np.pi * rng.uniform(60, 900) * t) for _ in range(4)]
        return np.asarray(hiss * 0.1 + np.sum(tones, axis=0))
    if number % 3 == 2:
        decay = np.exp(-((np.arange(n) % int(rng.uniform(0.2, 0.5) * SAMPLE_RATE)) / 1200.0))
        return np.asarray(hiss * decay)
    return hiss
