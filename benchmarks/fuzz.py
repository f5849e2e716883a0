"""Damaged recordings of every readable format, as files, through pipes and as training data.

    python benchmarks/fuzz.py                      # 300 of them, under a minute on two cores
    python benchmarks/fuzz.py --count 5000 --keep found/

Each has to end as readings or as an InputError: within a time, in little memory, without a crash, without another
exception and without a word of a library on stderr. Some go through the real command as well, which has to exit
with 0, 3 or 6. The same seed makes the same files. Exits with 1 when something was found; --keep stores the files
that did it.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

import noisewatch
from noisewatch.core.noise_detector import NoiseDetector
from noisewatch.core.session import Session
from noisewatch.decoding.decoders import open_pipe
from noisewatch.decoding.pipe import Pipe
from noisewatch.errors import InputError
from noisewatch.inputs.recording import Recording, open_recording
from noisewatch.inputs.source import Source

DEMO = Path(noisewatch.__file__).with_name("demo.flac")
RATE = 16_000
SEEDS = [  # suffix, format, subtype, endian
    ("wav", "WAV", "PCM_16", "FILE"), ("wav", "WAV", "PCM_U8", "FILE"), ("wav", "WAV", "PCM_24", "BIG"),
    ("wav", "WAVEX", "FLOAT", "FILE"), ("wav", "WAV", "DOUBLE", "FILE"), ("wav", "WAV", "ULAW", "FILE"),
    ("wav", "WAV", "ALAW", "FILE"), ("wav", "WAV", "MS_ADPCM", "FILE"), ("wav", "WAV", "IMA_ADPCM", "FILE"),
    ("wav", "WAV", "GSM610", "FILE"), ("rf64", "RF64", "PCM_16", "FILE"), ("w64", "W64", "PCM_24", "FILE"),
    ("au", "AU", "PCM_16", "FILE"), ("au", "AU", "FLOAT", "LITTLE"), ("aiff", "AIFF", "PCM_16", "FILE"),
    ("aifc", "AIFF", "FLOAT", "FILE"), ("aifc", "AIFF", "ULAW", "FILE"), ("caf", "CAF", "PCM_16", "FILE"),
    ("caf", "CAF", "ALAC_16", "FILE"), ("flac", "FLAC", "PCM_16", "FILE"), ("flac", "FLAC", "PCM_24", "FILE"),
    ("ogg", "OGG", "VORBIS", "FILE"), ("opus", "OGG", "OPUS", "FILE"), ("mp3", "MP3", "MPEG_LAYER_III", "FILE"),
]  # fmt: skip
FFMPEG = [("m4a", "aac"), ("m4a", "alac"), ("webm", "libopus"), ("aac", "aac"), ("wma", "wmav2"), ("oga", "flac")]
ODD = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
       0xFFFFFFDB, 1 << 62, (1 << 64) - 1]  # fmt: skip
WAYS = ("file", "pipe", "prepare")
HEAD = 200  # bytes in which the fields of headers are


def recordings(folder: Path) -> list[Path]:
    """Whole recordings of every format, one and two pieces long."""
    voice, _ = sf.read(DEMO, dtype="float32", frames=3 * RATE, start=10 * RATE)
    made = []
    for number, (suffix, form, subtype, endian) in enumerate(SEEDS):
        for channels in (1, 2):
            if channels == 2 and subtype in ("GSM610", "ALAC_16"):
                continue
            path = folder / f"{number:02}-{form}-{subtype}-{channels}.{suffix}"
            samples = voice if channels == 1 else np.stack([voice, -voice], 1)
            sf.write(path, samples, RATE, subtype, endian, form)
            made.append(path)
            if suffix in ("mp3", "ogg", "opus", "flac", "wav") and channels == 1:
                two = path.with_name(f"{number:02}-two-{form}-{subtype}.{suffix}")
                two.write_bytes(path.read_bytes() * 2)
                made.append(two)
    if shutil.which("ffmpeg"):
        for suffix, codec in FFMPEG:
            path = folder / f"ffmpeg-{codec}.{suffix}"
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-t", "3", "-i", DEMO, "-c:a", codec, path], check=True)
            made.append(path)
    return made


def mutated(data: bytes, rng: np.random.Generator, others: list[bytes]) -> tuple[str, bytes]:
    """A damaged copy, and the name of the damage."""
    kind = str(rng.choice(["bits", "head bits", "field", "field", "cut", "drop", "repeat", "noise", "zeros",
                           "behind", "head of another", "joined", "several"]))  # fmt: skip
    out = bytearray(data)
    size = len(out)
    a, b = sorted(int(i) for i in rng.integers(0, size, 2))
    if kind in ("bits", "head bits"):
        for _ in range(int(rng.choice([1, 2, 8, 64]))):
            place = int(rng.integers(min(size, HEAD) if kind == "head bits" else size))
            out[place] ^= 1 << int(rng.integers(8))
    elif kind == "field":
        width = int(rng.choice([1, 2, 4, 8]))
        place = int(rng.integers(min(size, HEAD)))
        value = ODD[rng.integers(len(ODD))] & (1 << 8 * width) - 1
        out[place : place + width] = value.to_bytes(width, "little" if rng.random() < 0.5 else "big")
    elif kind == "cut":
        del out[int(rng.integers(min(size, HEAD))) if rng.random() < 0.3 else a :]
    elif kind == "drop":
        del out[a : min(b, a + int(rng.choice([1, 4, 1000, size])))]
    elif kind == "repeat":
        out[a:a] = out[a:b]
    elif kind in ("noise", "zeros"):
        b = min(b, a + int(rng.choice([16, 500, 20_000])))
        out[a:b] = rng.bytes(b - a) if kind == "noise" else bytes(b - a)
    elif kind == "behind":
        out += rng.bytes(int(rng.choice([1, 100, 5000, 200_000])))
    elif kind == "head of another":
        other = others[rng.integers(len(others))]
        out[:HEAD] = other[: int(rng.integers(1, HEAD))]
    elif kind == "joined":
        out += others[rng.integers(len(others))]
    else:
        for _ in range(3):
            _, more = mutated(bytes(out) or b"\0", rng, others)
            out = bytearray(more)
    return kind, bytes(out)


def judged(source: Source, detector: NoiseDetector) -> None:
    """All of a source, through the engine."""
    for _ in Session(source, detector.stream(hop=1.0)):
        pass


def through_a_pipe(path: Path, detector: NoiseDetector) -> None:
    """As `cat path | noisewatch check -` reads it, on this thread."""
    read, write = os.pipe()

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(write, "wb") as file:
            file.write(path.read_bytes())

    writer = threading.Thread(target=feed)
    writer.start()
    try:
        judged(Recording(open_pipe(Pipe(read, "stdin"), "stdin"), "stdin"), detector)
    finally:
        os.close(read)
        writer.join()


def as_training_data(path: Path, detector: NoiseDetector) -> None:
    """As `prepare` reads it."""
    from noisewatch.corpus.manifest import load_audio

    load_audio(path)


def tried(way: str, path: Path, detector: NoiseDetector) -> str:
    """What reading a file some way comes to: `ok`, `refused`, or what must not be."""
    ways: dict[str, Callable[[Path, NoiseDetector], None]] = {
        "file": lambda path, detector: judged(open_recording(path, path.name), detector),
        "pipe": through_a_pipe,
        "prepare": as_training_data,
    }
    try:
        ways[way](path, detector)
    except InputError as error:
        return "refused" if str(error) else "an empty sentence"
    except BaseException:
        return traceback.format_exc()
    return "ok"


@dataclass(frozen=True)
class Outcome:
    """What became of one file, one way."""

    what: str
    seconds: float
    megabytes: float
    stderr: str


def peak_megabytes() -> float:
    """The most memory that was held since the last call, on Linux; elsewhere 0."""
    try:
        text = Path("/proc/self/status").read_text()
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0.0
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def worker(jobs: Connection) -> None:
    """Read files some way, one after the other, until there are no more."""
    detector = NoiseDetector()
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        with contextlib.suppress(EOFError, OSError):
            while True:
                way, path = jobs.recv()
                heard.seek(0)
                heard.truncate()
                peak_megabytes()
                began = time.monotonic()
                what = tried(way, path, detector)
                sys.stderr.flush()
                heard.seek(0)
                said = heard.read(4000).decode(errors="replace")
                jobs.send(Outcome(what, time.monotonic() - began, peak_megabytes(), said))


class Workers:
    """Processes that are watched: one that dies or takes too long is replaced, and said."""

    def __init__(self, count: int, limit_s: float) -> None:
        self._context, self._limit_s = multiprocessing.get_context("spawn"), limit_s
        self._idle = [self._started() for _ in range(count)]

    def _started(self) -> tuple[Any, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=worker, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def run(self, jobs: Iterator[tuple[Any, str, Path]]) -> Iterator[tuple[Any, str, Outcome]]:
        """Outcomes of (key, way, path) as they come."""
        busy: dict[Connection, tuple[Any, Any, str, float]] = {}
        more = True
        while more or busy:
            while more and self._idle:
                job = next(jobs, None)
                if job is None:
                    more = False
                    break
                process, connection = self._idle.pop()
                connection.send(job[1:])
                # The first job of a process waits until it has loaded the model.
                busy[connection] = (process, job[0], job[1], time.monotonic())
            ready = wait(list(busy), 0.2) if busy else []
            for connection in list(busy):
                process, key, way, began = busy[connection]
                if connection in ready:
                    try:
                        outcome = connection.recv()
                        self._idle.append((process, connection))
                    except EOFError:
                        process.join()
                        outcome = Outcome(f"crash: exit code {process.exitcode}", time.monotonic() - began, 0, "")
                        self._idle.append(self._started())
                elif time.monotonic() - began > self._limit_s + 20:
                    process.kill()
                    process.join()
                    outcome = Outcome("hang", time.monotonic() - began, 0, "")
                    self._idle.append(self._started())
                else:
                    continue
                del busy[connection]
                yield key, way, outcome


def wrong(outcome: Outcome, limit_s: float, limit_mb: float) -> str:
    """What is wrong with an outcome; empty if nothing is."""
    if outcome.what not in ("ok", "refused"):
        return outcome.what
    if outcome.seconds > limit_s:
        return f"took {outcome.seconds:.1f} s"
    if outcome.megabytes > limit_mb:
        return f"held {outcome.megabytes:.0f} MB"
    return f"said on stderr: {outcome.stderr.strip()}" if outcome.stderr.strip() else ""


def commanded(path: Path, piped: bool, limit_s: float) -> str:
    """What is wrong with the real command; empty if nothing is."""
    command = [sys.executable, "-m", "noisewatch", "check", "-" if piped else path]
    data = path.read_bytes() if piped else None
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=limit_s + 20, check=False)
    except subprocess.TimeoutExpired:
        return "hang"
    err = done.stderr.decode(errors="replace")
    if done.returncode not in (0, 3, 6) or "Traceback" in err or "Exception" in err:
        return f"exit code {done.returncode}: {err}"
    strange = [line for line in err.splitlines() if not line.startswith("noisewatch: ")]
    return f"said on stderr: {strange[0]}" if strange else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="damaged files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--commands", type=int, default=10, help="files that go through the real command as well")
    parser.add_argument("--seconds", type=float, default=10.0, help="that a file may take")
    parser.add_argument("--megabytes", type=float, default=700.0, help="that a process may hold")
    parser.add_argument("--keep", type=Path, help="folder for files that something was found with")
    options = parser.parse_args()
    found: list[tuple[str, str]] = []
    counts: Counter[str] = Counter()
    began, slowest, most = time.monotonic(), 0.0, 0.0
    with tempfile.TemporaryDirectory() as place:
        whole = recordings(Path(place))
        contents = [path.read_bytes() for path in whole]
        left: dict[Path, int] = {}

        def note(path: Path, way: str, what: str) -> None:
            found.append((f"{path.name} {way}", what))
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, options.keep / path.name)

        def jobs() -> Iterator[tuple[Path, str, Path]]:
            for path in whole:
                yield from ((path, way, path) for way in WAYS)
            for number in range(options.count):
                rng = np.random.default_rng([options.seed, number])
                seed = int(rng.integers(len(whole)))
                kind, data = mutated(contents[seed], rng, contents)
                path = Path(place, f"{number}-{kind.replace(' ', '-')}-{whole[seed].name}")
                path.write_bytes(data)
                if number < options.commands:
                    for piped in (False, True):
                        counts["command"] += 1
                        if what := commanded(path, piped, options.seconds):
                            note(path, "command, piped" if piped else "command", what)
                left[path] = len(WAYS)
                yield from ((path, way, path) for way in WAYS)

        for path, way, outcome in Workers(options.jobs, options.seconds).run(jobs()):
            slowest, most = max(slowest, outcome.seconds), max(most, outcome.megabytes)
            if what := wrong(outcome, options.seconds, options.megabytes):
                note(path, way, what)
            elif path in whole and outcome.what == "refused" and not (way == "pipe" and unreadable(path)):
                note(path, way, "a whole recording was refused")
            counts[f"{way}: {outcome.what}" if outcome.what in ("ok", "refused") else "found"] += 1
            if path in left:
                left[path] -= 1
                if not left[path]:
                    path.unlink()
    for what, number in sorted(counts.items()):
        print(f"{what}: {number}")
    print(f"slowest {slowest:.1f} s, most memory {most:.0f} MB, {time.monotonic() - began:.0f} s in all")
    for where, what in found:
        print(f"\n{where}\n    {what.strip()}")
    print(f"\n{len(found)} found" if found else "nothing found")
    return 1 if found else 0


def unreadable(path: Path) -> bool:
    """Whether a codec can't be read from a pipe, by design."""
    return any(name in path.name for name in ("ADPCM", "GSM", "ALAC"))


if __name__ == "__main__":
    sys.exit(main())
