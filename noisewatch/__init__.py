"""Is there noise behind the voice?

>>> import noisewatch
>>> stream = noisewatch.NoiseDetector().stream()
>>> for reading in stream.push(samples, sample_rate=48_000):
...     print(reading.time, reading.state, reading.noise)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.detector import DetectorConfig
    from .core.events import Event, Reading
    from .core.noise_detector import NoiseDetector
    from .core.stream import Stream
    from .errors import DeviceError, InputError, ModelError, NoisewatchError, OutputError, ParityError, UsageError
    from .evaluation.api import evaluate
    from .evaluation.figures import Estimate, Report, ScorerFigures, WindowScores
    from .recordings.file_report import FileReport, Segment
    from .recordings.judge import scan

__version__ = "0.1.0"

__all__ = [
    "DetectorConfig",
    "DeviceError",
    "Estimate",
    "Event",
    "FileReport",
    "InputError",
    "ModelError",
    "NoiseDetector",
    "NoisewatchError",
    "OutputError",
    "ParityError",
    "Reading",
    "Report",
    "ScorerFigures",
    "Segment",
    "Stream",
    "UsageError",
    "WindowScores",
    "__version__",
    "evaluate",
    "scan",
]

_MODULES = (
    "errors",
    "core.events",
    "core.detector",
    "core.noise_detector",
    "core.stream",
    "recordings.file_report",
    "recordings.judge",
    "evaluation.figures",
    "evaluation.api",
)

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Late, so that the command can answer Ctrl-C before NumPy and the rest are there.
        if name in __all__:
            for path in _MODULES:
                module = importlib.import_module(f".{path}", __name__)
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
