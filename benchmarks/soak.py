"""Long runs: does noisewatch stay up in bounded memory, and tell everything that happens to its input?

    python benchmarks/soak.py stream --hours 24      # a generated stream at full speed, with every output
    python benchmarks/soak.py live --minutes 20      # a virtual microphone
    python benchmarks/soak.py faults --minutes 60    # the same with faults at random, beside two busy loops

`live` and `faults` need PulseAudio and its utilities. A run prints its report as JSON and exits with 1 if a limit
is exceeded: RSS may grow by 2 MB after the first quarter of the run (at most 5 minutes), open files and threads may
not grow, every fault has to be seen and to end in time (`FAULTS`), and no more than 0.3 s may be missing untold.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

import noisewatch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from conftest import VirtualMicrophone, sound_server  # type: ignore[import-not-found]

RATE = 16_000
BACK_S = 3.0  # limit on the time from the end of a fault until audio arrives again
SEAMLESS_S = 1.0  # longest time between two readings of an input that nothing happened to, on busy cores
UNTOLD_S = 0.3  # audio that may be missing without being told
GROWTH_MB = 2.0
WAITING = ("stalled", "disconnected")
SHOWN = ("seen", "back", "judged")
COUNTED = ((1, "open files"), (2, "threads"))  # columns of sizes


@dataclass(frozen=True)
class Fault:
    """Something that happens to the input."""

    begin: Callable[[VirtualMicrophone], object]
    end: Callable[[VirtualMicrophone], object]
    reasons: tuple[str, ...]  # that tell it
    seen_s: float  # limit on the time until then
    lasts_s: tuple[float, float]


def recorder(server: VirtualMicrophone) -> str:
    """The number of the stream that records."""
    return str(server.pactl("list", "short", "source-outputs")).split()[0]


def unload_sink(server: VirtualMicrophone) -> None:
    """Remove the sink whose monitor is recorded."""
    for line in server.pactl("list", "short", "modules").splitlines():
        if "sink_name=mic" in line:
            server.pactl("unload-module", line.split()[0])


def load_sink(server: VirtualMicrophone) -> None:
    """Bring the sink back, and record from it."""
    server.pactl("load-module", "module-null-sink", "sink_name=mic", "rate=48000")
    server.pactl("set-default-source", "mic.monitor")
    for player in str(server.pactl("list", "short", "sink-inputs")).splitlines():
        server.pactl("move-sink-input", player.split()[0], "mic")
    with suppress(IndexError, subprocess.CalledProcessError):  # there is no recorder, or it records from it already
        server.pactl("move-source-output", recorder(server), "mic.monitor")


def killed(server: VirtualMicrophone) -> None:
    """Kill the daemon."""
    server.daemon.kill()
    server.daemon.wait()


FAULTS = {
    "killed": Fault(killed, VirtualMicrophone.start, ("disconnected",), 1.5, (0.1, 15)),
    "frozen": Fault(
        lambda s: s.daemon.send_signal(signal.SIGSTOP), lambda s: s.daemon.send_signal(signal.SIGCONT),
        WAITING, 3.5, (5, 20),
    ),
    "suspended": Fault(
        lambda s: s.pactl("suspend-sink", "mic", "1"), lambda s: s.pactl("suspend-sink", "mic", "0"),
        WAITING, 3.5, (5, 20),
    ),
    "muted": Fault(
        lambda s: s.pactl("set-source-mute", "mic.monitor", "1"),
        lambda s: s.pactl("set-source-mute", "mic.monitor", "0"),
        ("digital_silence",), 2.0, (3, 10),
    ),
    "moved": Fault(
        lambda s: s.pactl("move-source-output", recorder(s), "two.monitor"),
        lambda s: s.pactl("move-source-output", recorder(s), "mic.monitor"),
        ("gap", "digital_silence"), 3.5, (3, 10),
    ),
    "sink removed": Fault(unload_sink, load_sink, ("gap", "digital_silence", *WAITING), 3.5, (3, 10)),
}  # fmt: skip


@dataclass
class Watched:
    """A `noisewatch listen --json`, its output with the time of arrival, and its size over time."""

    process: subprocess.Popen[bytes]
    items: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # the latest, if keep is False
    sizes: list[tuple[float, int, int]] = field(default_factory=list)  # RSS (MB), open files, threads
    delays: list[float] = field(default_factory=list)  # arrival minus stream time, s
    counts: Counter[str] = field(default_factory=Counter)
    keep: bool = True

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        threading.Thread(target=self._sample, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            now, item = time.monotonic(), json.loads(line)
            self.counts[item.get("event") or item["reason"] or item["state"]] += 1
            if not self.keep:
                self.items.clear()
            self.items.append((now, item))

    def _sample(self) -> None:
        own = Path(f"/proc/{self.process.pid}")
        while self.process.poll() is None:
            with suppress(OSError):
                status = dict(line.split(":", 1) for line in (own / "status").read_text().splitlines())
                rss = int(status["VmRSS"].split()[0]) / 1024
                self.sizes.append((rss, len([*(own / "fd").iterdir()]), int(status["Threads"])))
            time.sleep(1)

    def wait_for(self, which: Callable[[dict[str, Any]], bool], since: float, seconds: float) -> float:
        """When the first such item arrived after `since` (monotonic clock). Infinite if none did in time."""
        position = 0
        while time.monotonic() < since + seconds and self.process.poll() is None:
            while position < len(self.items):
                at, item = self.items[position]
                position += 1
                if at >= since and which(item):
                    return at
            time.sleep(0.02)
        return float("inf")

    def offset(self, seconds: float = 2.0) -> float:
        """Wall clock minus stream time of the promptest judged reading in the next seconds, s."""
        since = time.monotonic()
        time.sleep(seconds)
        recent = [(at, item) for at, item in self.items[-500:] if at >= since and judged(item)]
        return min((at - item["time"] for at, item in recent), default=float("nan"))

    def report(self) -> dict[str, Any]:
        """Sizes, delays and counts."""
        warm = self.sizes[min(300, len(self.sizes) // 4) :]
        tenth = max(1, len(warm) // 10)
        first, last = warm[:tenth], warm[-tenth:]
        rss = [round(statistics.median(size[0] for size in part), 2) for part in (first, last)]
        usual = {
            what: [statistics.median(size[column] for size in part) for part in (first, last)]
            for column, what in COUNTED
        }
        return {"median after warm-up, and at the end": {"RSS (MB)": rss, **usual}, "items": dict(self.counts)}


def judged(item: dict[str, Any]) -> bool:
    """Whether an item is a reading that was judged."""
    return item["type"] == "reading" and item["noise"] is not None


def voice_and_noise(seconds: int = 60) -> Any:
    """A voice, noisy every other 10 s: (n,) int16 at 16 kHz."""
    clip, _ = sf.read(Path(noisewatch.__file__).with_name("demo.flac"), dtype="float32", frames=6 * RATE)
    voice = np.resize(clip, seconds * RATE)
    noise = np.random.default_rng(0).standard_normal(len(voice)).astype(np.float32) * 0.03
    on = np.arange(len(voice)) // (10 * RATE) % 2
    return np.clip((voice + noise * on) * 32767, -32768, 32767).astype("<i2")


def outputs(folder: Path) -> list[str]:
    """The options for every output."""
    return [
        *("--log", str(folder / "log.jsonl"), "--csv", str(folder / "noises.csv")),
        *("--labels", str(folder / "labels.txt"), "--keep-clips", str(folder / "clips"), "--exec", "true"),
    ]


@contextmanager
def listening(*words: str, keep: bool = True, **more: Any) -> Iterator[Watched]:
    """Run `noisewatch listen --json`. If it still runs when the context is left, it is killed."""
    command = [sys.executable, "-m", "noisewatch", "listen", "--json", *words]
    watched = Watched(subprocess.Popen(command, stdout=subprocess.PIPE, **more), keep=keep)
    try:
        yield watched
    finally:
        watched.process.kill()
        watched.process.wait()
        watched.reader.join(5)


def stream(hours: float, folder: Path) -> dict[str, Any]:
    """A generated stream at full speed."""
    minute = voice_and_noise().tobytes()
    words = "-", "--raw-rate", str(RATE), *outputs(folder)
    with listening(*words, keep=False, stdin=subprocess.PIPE) as watched:
        assert watched.process.stdin is not None
        began, minutes = time.monotonic(), round(hours * 60)
        for number in range(minutes):
            watched.process.stdin.write(minute)
            if number % 20 == 0:  # a day of clips is large
                for clip in (folder / "clips").glob("[0-9]*"):
                    clip.unlink()
        watched.process.stdin.close()
        code = watched.process.wait()
        watched.reader.join()
    readings = sum(n for key, n in watched.counts.items() if key in ("clean", "noisy", "unknown"))
    expected = minutes * 600 - 29
    report = watched.report()
    lines = (folder / "log.jsonl").read_text().count("\n")
    wrong = [f"exit code {code}"] * (code != 0)
    wrong += [f"{readings} readings in place of {expected}"] * (readings != expected)
    wrong += [f"{lines} lines in the log"] * (lines != watched.counts["noise_start"] + watched.counts["noise_end"])
    return {
        "hours": hours,
        "times real time": round(minutes * 60 / (time.monotonic() - began)),
        **report,
        "wrong": wrong,
    }


@contextmanager
def played(server: VirtualMicrophone) -> Iterator[None]:
    """Play a voice with noise into the sink for as long as the context lasts, whatever happens to the server."""
    minute, ended = voice_and_noise().tobytes(), threading.Event()
    command = ["pacat", "-p", "-d", "mic", f"--rate={RATE}", "--format=s16le", "--channels=1", "--latency-msec=100"]

    players: list[subprocess.Popen[bytes]] = []

    def play() -> None:
        while not ended.is_set():
            pipe = subprocess.PIPE
            with subprocess.Popen(command, env=server.env, stdin=pipe, stderr=subprocess.DEVNULL) as player:
                players[:] = [player]
                assert player.stdin is not None
                with suppress(OSError):
                    while not ended.is_set():
                        for start in range(0, len(minute), 16_000):
                            player.stdin.write(minute[start : start + 16_000])
                player.kill()
                with suppress(OSError):
                    player.stdin.close()
            time.sleep(0.1)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        for player in players:
            player.kill()
        thread.join(5)


def spin() -> None:
    """A busy loop."""
    while True:
        pass


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute."""
    loops = [multiprocessing.Process(target=spin, daemon=True) for _ in range(count)]
    try:
        for process in loops:
            process.start()
        yield
    finally:
        for process in loops:
            if process.pid is not None:
                process.kill()
                process.join()


def live(minutes: float, folder: Path, faults: list[str], seed: int) -> dict[str, Any]:
    """A virtual microphone, with faults at random."""
    draw = random.Random(seed)
    wrong: list[str] = []
    told: dict[str, list[dict[str, float]]] = {name: [] for name in faults}
    with ExitStack() as stack:
        server = stack.enter_context(sound_server(folder))
        stack.enter_context(played(server))
        server.pactl("set-default-source", "mic.monitor")
        time.sleep(1)
        words = "--device", "pulse", *outputs(folder)
        watched = stack.enter_context(listening(*words, env=server.env, cwd="/tmp"))
        stack.enter_context(busy(2 if faults else 0))
        began = time.monotonic()
        watched.wait_for(judged, began, 30)
        before = watched.offset()
        first = before
        while time.monotonic() - began < minutes * 60 and watched.process.poll() is None:
            if not faults:
                time.sleep(1)
                continue
            time.sleep(draw.uniform(3, 8))
            name = draw.choice(faults)
            fault, lasts_s = FAULTS[name], draw.uniform(*FAULTS[name].lasts_s)
            at = time.monotonic()
            fault.begin(server)
            time.sleep(lasts_s)
            fault.end(server)
            ended = time.monotonic()
            seen = watched.wait_for(lambda item, f=fault: item.get("reason") in f.reasons, at, lasts_s + 15)  # type: ignore[misc]
            back = watched.wait_for(lambda item: item.get("reason") not in WAITING, ended, 30)
            again = watched.wait_for(judged, ended, 60)
            after = watched.offset()
            figures = {"lasted": lasts_s, "seen": seen - at, "back": back - ended, "judged": again - ended,
                       "untold": after - before}  # fmt: skip
            told[name].append({key: round(value, 2) for key, value in figures.items()})
            print(f"{time.monotonic() - began:6.0f} s  {name:13} {told[name][-1]}", file=sys.stderr, flush=True)
            heard = [when for when, item in watched.items if at <= when <= ended and judged(item)]
            # Another source may take over at once.
            seamless = bool(heard) and max(np.diff([at, *heard, ended])) < SEAMLESS_S
            if lasts_s > fault.seen_s and not seamless and not seen - at <= fault.seen_s:
                wrong.append(f"{name} at {at - began:.0f} s seen after {seen - at:.1f} s")
            if not back - ended <= BACK_S:
                wrong.append(f"{name} at {at - began:.0f} s back {back - ended:.1f} s after its end")
            if not abs(after - before) <= UNTOLD_S:
                wrong.append(f"{name} at {at - began:.0f} s: {after - before:.2f} s of audio is missing untold")
            before = after
        drift = watched.offset() - first
        watched.process.send_signal(signal.SIGINT)
        code = watched.process.wait(20)
        watched.reader.join(5)
    wrong += [f"exit code {code}"] * (code != 130)
    if not faults and not abs(drift) <= UNTOLD_S:
        wrong.append(f"{drift:.2f} s of audio is missing untold")
    if not faults:
        wrong += [f"{n} x {key}" for key, n in watched.counts.items() if key in ("input_lost", "gap", *WAITING)]
    report = {"minutes": minutes, "stream against clock (s)": round(drift, 3), **watched.report()}
    if not faults:
        late = [1000 * (at - item["time"] - first) for at, item in watched.items if judged(item)]
        p50, p99, most = np.percentile(late, [50, 99, 100])
        report["delay over the promptest reading (ms)"] = {"p50": round(p50), "p99": round(p99), "max": round(most)}
    for name, all_of_it in told.items():
        if all_of_it:
            worst = {
                key: max((f[key] for f in all_of_it if f[key] < f["lasted"] or key != "seen"), default=float("nan"))
                for key in SHOWN
            }
            worst |= {"untold": max((f["untold"] for f in all_of_it), key=abs)}
            report[name] = {"times": len(all_of_it), "worst (s)": worst}
    return {**report, "wrong": wrong}


def main() -> None:
    """Run one soak test and print its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["stream", "live", "faults"])
    parser.add_argument("--hours", type=float, default=24, help="of audio, for stream")
    parser.add_argument("--minutes", type=float, help="default: 20, with faults 60")
    parser.add_argument("--fault", choices=FAULTS, action="append", help="only these")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so everything is cleaned up
    with tempfile.TemporaryDirectory() as folder:
        if given.kind == "stream":
            report = stream(given.hours, Path(folder))
        else:
            faults = (given.fault or list(FAULTS)) if given.kind == "faults" else []
            report = live(given.minutes or (60 if faults else 20), Path(folder), faults, given.seed)
    for what, (first, last) in report["median after warm-up, and at the end"].items():
        if last - first > (GROWTH_MB if what.startswith("RSS") else 0):
            report["wrong"].append(f"{what}: {first} to {last}")
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": platform.platform(), "cores": os.cpu_count(),
             "python": platform.python_version()}  # fmt: skip
    print(json.dumps({"kind": given.kind, **about, **report}, indent=1))
    raise SystemExit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()
