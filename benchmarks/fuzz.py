"""Fuzzing with damaged files: recordings of every readable format, models and their cards, checkpoints.

    python benchmarks/fuzz.py                      # 300 files, under a minute on two cores
    python benchmarks/fuzz.py --count 5000 --keep found/

A recording must result in readings or an InputError, as a file, through a pipe and as training data; a model in
readings or a ModelError; a checkpoint (with the train extra) in a network or an InputError. All within limits of
time and memory, without a crash, any other exception, or library messages on stderr. Some recordings also go
through the real command, which must exit with 0, 3 or 6. The same seed gives the same files. Exits with 1 if it
finds a failure; --keep saves the files that cause one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
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
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

import noisewatch
from noisewatch.core.noise_detector import NoiseDetector
from noisewatch.core.session import Session
from noisewatch.core.shipped import find_model, shipped_models
from noisewatch.decoding.decoders import open_pipe
from noisewatch.decoding.pipe import Pipe
from noisewatch.errors import InputError, ModelError
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
ROUTES = {".onnx": ("model",), ".pt": ("checkpoint",)}  # by suffix
RECORDING_ROUTES = ("file", "pipe", "prepare")
HEAD = 200  # bytes that contain the header fields


def recordings(folder: Path) -> list[Path]:
    """Write intact recordings of every format; for some, also two joined end to end."""
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


def others(folder: Path) -> list[Path]:
    """Copies of models, and a checkpoint if torch is installed."""
    made = [Path(shutil.copy(find_model(name), folder)) for name in shipped_models()]
    if importlib.util.find_spec("torch") is None:
        return made
    from noisewatch.audio.logmel import FrontendConfig
    from noisewatch.training.checkpoint import save_checkpoint
    from noisewatch.training.config import TrainConfig
    from noisewatch.training.nets import NETS

    state = {
        "net": NETS["bcresnet1"]().state_dict(), "optimizer": {}, "step": 3, "best": 0.5, "metrics": {"auc": 0.5},
        "data": json.dumps({"sources": [{"source": "x"}], "shippable": True}),
        "frontend": asdict(FrontendConfig()), "config": asdict(TrainConfig(net="bcresnet1")),
    }  # fmt: skip
    save_checkpoint(folder / "best.pt", state)
    return [*made, folder / "best.pt"]


def with_damaged_card(data: bytes, rng: np.random.Generator) -> bytes:
    """A model whose card has a few other characters, at the same length."""
    start = data.find(b'{"name"') if b'{"name"' in data else data.find(b'"threshold"')
    out = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 3, 20]))):
        place = start + int(rng.integers(max(1, min(2000, len(data) - start))))
        out[place] = int(rng.choice(list(b'0123456789-+.eE{}[]",:ntf \x00\xff')))
    return bytes(out)


def mutated(data: bytes, rng: np.random.Generator, others: list[bytes]) -> tuple[str, bytes]:
    """The kind of damage, and a damaged copy."""
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


def judge(source: Source, detector: NoiseDetector) -> None:
    """Run a whole source through the engine."""
    for _ in Session(source, detector.stream(hop=1.0)):
        pass


def read_from_pipe(path: Path, detector: NoiseDetector) -> None:
    """Read a file as `cat path | noisewatch check -` does, on this thread."""
    read, write = os.pipe()

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(write, "wb") as file:
            file.write(path.read_bytes())

    writer = threading.Thread(target=feed)
    writer.start()
    try:
        judge(Recording(open_pipe(Pipe(read, "stdin"), "stdin"), "stdin"), detector)
    finally:
        os.close(read)
        writer.join()


def read_for_training(path: Path, detector: NoiseDetector) -> None:
    """Read a file as `prepare` does."""
    from noisewatch.corpus.manifest import load_audio

    load_audio(path)


def load_checkpoint(path: Path, detector: NoiseDetector) -> None:
    """Read a file as `export-onnx` does."""
    from noisewatch.training import checkpoint

    checkpoint.load_checkpoint(path)


def attempt(route: str, path: Path, detector: NoiseDetector) -> str:
    """Read a file by one route. Returns `ok`, `refused`, or the failure."""
    routes: dict[str, Callable[[Path, NoiseDetector], None]] = {
        "file": lambda path, detector: judge(open_recording(path, path.name), detector),
        "pipe": read_from_pipe,
        "prepare": read_for_training,
        "model": lambda path, detector: judge(open_recording(DEMO, "demo"), NoiseDetector(path)),
        "checkpoint": load_checkpoint,
    }
    try:
        routes[route](path, detector)
    except (InputError, ModelError) as error:
        fits = isinstance(error, ModelError) == (route == "model")
        return "refused" if str(error) and fits else f"{type(error).__name__}: {error}"
    except BaseException:
        return traceback.format_exc()
    return "ok"


@dataclass(frozen=True)
class Outcome:
    """The result of reading one file by one route."""

    result: str
    seconds: float
    megabytes: float
    stderr: str


def peak_megabytes() -> float:
    """Peak memory use since the last call, on Linux; 0 elsewhere."""
    try:
        text = Path("/proc/self/status").read_text()
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0.0
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def worker(jobs: Connection) -> None:
    """Read files one after another until there are no more jobs."""
    detector = NoiseDetector()
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        with contextlib.suppress(EOFError, OSError):
            while True:
                route, path = jobs.recv()
                captured.seek(0)
                captured.truncate()
                peak_megabytes()
                began = time.monotonic()
                result = attempt(route, path, detector)
                sys.stderr.flush()
                captured.seek(0)
                stderr = captured.read(4000).decode(errors="replace")
                jobs.send(Outcome(result, time.monotonic() - began, peak_megabytes(), stderr))


class Workers:
    """Supervised processes: one that dies or exceeds the time limit is reported and replaced."""

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
        """Yield the outcomes of jobs (key, route, path) as they finish."""
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
                # The first job of a process includes loading the model.
                busy[connection] = (process, job[0], job[1], time.monotonic())
            ready = wait(list(busy), 0.2) if busy else []
            for connection in list(busy):
                process, key, route, began = busy[connection]
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
                yield key, route, outcome


def failure(outcome: Outcome, limit_s: float, limit_mb: float) -> str:
    """Description of a failure; empty if there is none."""
    if outcome.result not in ("ok", "refused"):
        return outcome.result
    if outcome.seconds > limit_s:
        return f"took {outcome.seconds:.1f} s"
    if outcome.megabytes > limit_mb:
        return f"used {outcome.megabytes:.0f} MB"
    return f"wrote to stderr: {outcome.stderr.strip()}" if outcome.stderr.strip() else ""


def command_failure(path: Path, piped: bool, limit_s: float) -> str:
    """Run the real command. Returns the description of a failure; empty if there is none."""
    command = [sys.executable, "-m", "noisewatch", "check", "-" if piped else path]
    data = path.read_bytes() if piped else None
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=limit_s + 20, check=False)
    except subprocess.TimeoutExpired:
        return "hang"
    err = done.stderr.decode(errors="replace")
    if done.returncode not in (0, 3, 6) or "Traceback" in err or "Exception" in err:
        return f"exit code {done.returncode}: {err}"
    foreign = [line for line in err.splitlines() if not line.startswith("noisewatch: ")]
    return f"wrote to stderr: {foreign[0]}" if foreign else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="number of damaged files")
    parser.add_argument("--only", choices=["recordings", "models"], help="only these; models: and checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--commands", type=int, default=10, help="files that also go through the real command")
    parser.add_argument("--seconds", type=float, default=10.0, help="time limit per file")
    parser.add_argument("--megabytes", type=float, default=700.0, help="memory limit per process")
    parser.add_argument("--keep", type=Path, help="folder in which to save the files that cause failures")
    options = parser.parse_args()
    found: list[tuple[str, str]] = []
    counts: Counter[str] = Counter()
    began, slowest, most = time.monotonic(), 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        makers = {"recordings": recordings, "models": others}
        wanted = [options.only] if options.only else list(makers)
        intact = [path for name in wanted for path in makers[name](Path(folder))]
        contents = [path.read_bytes() for path in intact]
        pending: dict[Path, int] = {}

        def note(path: Path, route: str, what: str) -> None:
            found.append((f"{path.name} {route}", what))
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, options.keep / path.name)

        def jobs() -> Iterator[tuple[Path, str, Path]]:
            for path in intact:
                yield from ((path, route, path) for route in routes(path))
            for number in range(options.count):
                rng = np.random.default_rng([options.seed, number])
                seed = int(rng.integers(len(intact)))
                kind, data = mutated(contents[seed], rng, contents)
                if intact[seed].suffix == ".onnx" and rng.random() < 0.5:
                    kind, data = "card", with_damaged_card(contents[seed], rng)
                path = Path(folder, f"{number}-{kind.replace(' ', '-')}-{intact[seed].name}")
                path.write_bytes(data)
                if number < options.commands and path.suffix not in ROUTES:
                    for piped in (False, True):
                        counts["command"] += 1
                        if what := command_failure(path, piped, options.seconds):
                            note(path, "command, piped" if piped else "command", what)
                pending[path] = len(routes(path))
                yield from ((path, route, path) for route in routes(path))

        for path, route, outcome in Workers(options.jobs, options.seconds).run(jobs()):
            slowest, most = max(slowest, outcome.seconds), max(most, outcome.megabytes)
            if what := failure(outcome, options.seconds, options.megabytes):
                note(path, route, what)
            elif path in intact and outcome.result == "refused" and not (route == "pipe" and unreadable(path)):
                note(path, route, "an intact file was refused")
            counts[f"{route}: {outcome.result}" if outcome.result in ("ok", "refused") else "failed"] += 1
            if path in pending:
                pending[path] -= 1
                if not pending[path]:
                    path.unlink()
    for what, number in sorted(counts.items()):
        print(f"{what}: {number}")
    print(f"slowest file {slowest:.1f} s, peak memory {most:.0f} MB, {time.monotonic() - began:.0f} s in total")
    for where, what in found:
        print(f"\n{where}\n    {what.strip()}")
    print(f"\n{len(found)} failures" if found else "no failures")
    return 1 if found else 0


def routes(path: Path) -> tuple[str, ...]:
    """The ways by which a file is read."""
    return ROUTES.get(path.suffix, RECORDING_ROUTES)


def unreadable(path: Path) -> bool:
    """Whether a recording's codec cannot be read from a pipe, by design."""
    return any(name in path.name for name in ("ADPCM", "GSM", "ALAC"))


if __name__ == "__main__":
    sys.exit(main())
