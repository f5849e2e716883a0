"""First aid: what is this machine, what does its microphone send, and is anything wrong? Holds no audio."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.levels import dbfs
from ..audio.signal import SAMPLE_RATE, Samples
from ..core.events import Reading
from ..core.noise_detector import NoiseDetector
from ..core.session import Session
from ..core.shipped import DEFAULT, find_model
from ..errors import NoisewatchError, UsageError, numeric
from ..inputs.devices import find_device, list_devices
from ..inputs.microphone import Microphone
from ..inputs.sound_system import sound_system
from ..ui.wording import CLIPPING, WARNINGS, explain
from ..version import __version__
from .calibrations import of_device
from .check import WARNED, Waiting

LIBRARIES = ("numpy", "onnxruntime", "sounddevice", "soundfile", "soxr", "rich", "typer", "platformdirs")
FAINT_DBFS = -50.0  # an input that exceeds this less than a tenth of the time is recorded too softly
DECISIONS = 40  # timed for the cost of one
SLOW = 0.5  # share of the hop that a decision may cost

Facts = dict[str, Any]


@dataclass
class Examination:
    """What was found: facts by section, and findings: what is wrong, and what to do about it."""

    sections: dict[str, Facts] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    usable: bool = False  # the input could be judged

    @property
    def exit_code(self) -> int:
        """0 if all is well, 3 with findings, 4 without a usable input."""
        return 4 if not self.usable else 3 if self.findings else 0


def examine(
    device: str | None = None,
    *,
    channel: int | None = None,
    model: str = DEFAULT,
    hop: float | None = None,
    seconds: float = 5.0,
    waiting: Waiting = lambda stream, source, seconds: nullcontext(),
) -> Examination:
    """Examine this machine, listen for some seconds, and judge what was heard.

    device, channel, model, hop: as for `noisewatch.listen`. seconds: 3 to 600. waiting: entered while it listens.
    What is broken does not raise, but becomes a finding. Raises UsageError for arguments out of range.
    """
    if not 3 <= numeric("time to listen", seconds) <= 600:
        raise UsageError(f"seconds is {seconds:g}; allowed: 3 (one window) to 600.")
    if channel is not None and numeric("channel", channel) < 1:
        raise UsageError(f"the channel is {channel}; channels are counted from 1.")
    found = Examination()
    _attempt(found, "system", _system)
    _attempt(found, "packages", lambda: {name: _version(name) for name in LIBRARIES})
    _attempt(found, "sound", sound_system)
    _attempt(found, "devices", _devices)
    detector = _attempt(found, "model", lambda: _model(model))
    if isinstance(detector, NoiseDetector):
        _attempt(found, "cost", lambda: _cost(detector, hop, found.findings))
        try:
            _listen(found, detector, device, channel or 1, seconds, waiting)
        except NoisewatchError as error:
            found.sections.setdefault("input", {})["error"] = str(error).partition("\n")[0]
            if str(error) not in found.findings:
                found.findings.append(str(error))
    found.sections["terminal"] = _terminal()
    return found


def _attempt(found: Examination, section: str, examine: Callable[[], tuple[Facts, Any] | Facts]) -> Any:
    """Fill in a section; an error becomes its only fact, and a finding."""
    try:
        facts = examine()
    except Exception as error:  # first aid does not fail
        sentence = str(error) if isinstance(error, NoisewatchError) else f"{type(error).__name__}: {error}"
        found.sections[section] = {"error": sentence.partition("\n")[0]}
        if sentence not in found.findings:
            found.findings.append(sentence)
        return None
    if isinstance(facts, tuple):
        found.sections[section] = facts[0]
        return facts[1]
    found.sections[section] = facts
    return None


def _system() -> Facts:
    return {
        "noisewatch": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def _version(package: str) -> str | None:
    """None for a package that goes by another name, such as onnxruntime-gpu."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Facts:
    return {
        str(d.index): f"{d.name} ({d.api}, {d.channels} ch, {d.sample_rate} Hz{', default' if d.default else ''})"
        for d in list_devices()
    }


def _model(name: str) -> tuple[Facts, NoiseDetector]:
    path = find_model(name)
    detector = NoiseDetector(name)
    card = detector.model.card
    shipped = Path(str(name)).suffix != ".onnx"
    facts = {
        "name": card.name if shipped else str(path),
        "version": card.version,
        "threshold": card.threshold,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return facts, detector


def _cost(detector: NoiseDetector, hop_s: float | None, findings: list[str]) -> Facts:
    """The time that one decision takes, against the hop."""
    stream = detector.stream(hop=hop_s)
    hop = np.random.default_rng(0).normal(0, 0.01, round(stream.hop_s * SAMPLE_RATE)).astype(np.float32)
    stream.push(np.tile(hop, round(3 / stream.hop_s)))
    taken = []
    for _ in range(DECISIONS):
        began = time.perf_counter()
        stream.push(hop)
        taken.append(time.perf_counter() - began)
    decision_s = statistics.median(taken)
    if decision_s > SLOW * stream.hop_s:
        findings.append(
            f"a decision takes {1000 * decision_s:.0f} ms, and one is due every {1000 * stream.hop_s:.0f} ms. "
            "Use a cheaper model (tcn) or a longer hop (0.5)."
        )
    return {"decision_ms": round(1000 * decision_s, 1), "hop_ms": round(1000 * stream.hop_s)}


def _listen(
    found: Examination, detector: NoiseDetector, word: str | None, channel: int, seconds: float, waiting: Waiting
) -> None:
    device = find_device(word)
    facts = found.sections["input"] = {
        "device": device.name,
        "index": device.index,
        "host API": device.api,
        "native_rate_hz": device.sample_rate,
    }
    calibration = of_device(device.name, detector.model.card, None, lambda sentence: None)
    if calibration is not None:
        facts["calibration"] = f"threshold {calibration.threshold:.2f}, {calibration.made}"
    microphone = Microphone(device, channel=channel)
    facts |= {
        "opened_rate_hz": microphone.sample_rate,
        "opened_channels": microphone.opened_channels,
        "channel": channel,
    }
    try:
        stream = detector.stream(threshold=calibration.threshold if calibration else None)
        levels = _Levels()
        with waiting(stream, microphone, seconds):
            items = list(Session(microphone, stream, seconds=seconds, heard=levels.add))
    finally:
        microphone.close()
    readings = [item for item in items if isinstance(item, Reading)]
    judged = [r for r in readings if r.noise is not None]
    lost = {"drops": microphone.drops, "skipped": stream.skipped}
    found.sections["signal"] = levels.facts() | _figures(readings, judged) | lost
    found.usable = 2 * len(judged) >= len(readings) > 0 and judged[-1:] == readings[-1:]
    found.findings += _findings(readings, judged, levels, microphone.drops, device.sample_rate)


class _Levels:
    """Levels of what was heard: RMS, highest sample, and the floor below which a tenth lies. Keeps no samples."""

    def __init__(self) -> None:
        self._powers: list[Any] = []
        self.peak = 0.0

    def add(self, block: Samples, rate: int) -> None:
        size = max(1, rate // 100)
        whole = block[: len(block) // size * size].reshape(-1, size)
        self._powers.append((whole.astype(np.float64) ** 2).mean(1))
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))

    @property
    def powers(self) -> Any:
        """Mean square of each 10 ms: (n,)."""
        return np.concatenate([np.zeros(0), *self._powers])

    @property
    def loudest_dbfs(self) -> float:
        """Level that a tenth of the time exceeds, dBFS."""
        return dbfs(float(np.quantile(self.powers, 0.9))) if len(self.powers) else -120.0

    def facts(self) -> Facts:
        powers = self.powers
        if not len(powers):
            return {"heard_s": 0.0}
        levels = {
            "level_dbfs": dbfs(float(powers.mean())),
            "peak_dbfs": dbfs(self.peak**2),
            "floor_dbfs": dbfs(float(np.quantile(powers, 0.1))),
        }
        return {"heard_s": len(powers) / 100, **{name: round(level, 1) for name, level in levels.items()}}


def _figures(readings: list[Reading], judged: list[Reading]) -> Facts:
    snrs = [r.snr_db for r in judged if r.snr_db is not None]
    return {
        "voice": round(statistics.fmean(r.spoken for r in judged), 2) if judged else None,
        "noisy": round(statistics.fmean(r.state == "noisy" for r in judged), 2) if judged else None,
        "snr_db": round(statistics.median(snrs), 1) if snrs else None,
        "unknown": round(1 - len(judged) / len(readings), 2) if readings else None,
    }


def _findings(readings: list[Reading], judged: list[Reading], levels: _Levels, drops: int, rate: int) -> list[str]:
    """What is wrong with an input, each with what to do."""
    if not readings:
        return ["the input sent nothing. Choose another with --device, or restart the sound server."]
    found = []
    reasons = Counter(r.reason for r in readings if r.reason is not None)
    for reason, count in reasons.items():
        if count >= WARNED * len(readings) or readings[-1].reason == reason:
            found.append(f"{reason}: {explain(reason, live=True)}")
    sentences = {**WARNINGS, "clipping": CLIPPING}
    warned = Counter(name for r in readings for name in r.warnings if name in sentences)
    found += [f"{name}: {sentences[name]}" for name, count in warned.items() if count >= WARNED * len(readings)]
    if judged and levels.loudest_dbfs < FAINT_DBFS:
        found.append(
            f"the input is faint: {levels.loudest_dbfs:.0f} dBFS where it is loudest. Speak while it listens, move "
            "closer, or turn the gain up."
        )
    if drops:
        found.append(
            f"audio was lost {drops} time{'' if drops == 1 else 's'}. Close other programs that use the microphone "
            "or the processor."
        )
    if rate < SAMPLE_RATE:
        found.append(
            f"the device runs at {rate} Hz: nothing above {rate // 2} Hz is heard. Use another microphone."
        )
    return found


def _terminal() -> Facts:
    from rich.console import Console

    console = Console()
    return {
        "stdout": "a terminal" if sys.stdout.isatty() else "not a terminal",
        "TERM": os.environ.get("TERM"),
        "encoding": sys.stdout.encoding,
        "colours": console.color_system,
        "size": f"{console.width} x {console.height}",
    }
