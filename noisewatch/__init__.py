"""Is there noise behind the voice?

>>> import noisewatch
>>> for item in noisewatch.listen():  # readings and events from the microphone
...     print(item.json())
>>> noisewatch.check("take.wav").answer
'ok'
>>> for report in noisewatch.scan("meetings/"):
...     print(report.path, report.noisy)
>>> stream = noisewatch.NoiseDetector().stream()  # your own samples
>>> for reading in stream.push(samples, sample_rate=48_000):
...     print(reading.time, reading.state, reading.noise)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .core.detector import DetectorConfig
    from .core.events import Event, Reading
    from .core.noise_detector import NoiseDetector
    from .core.stream import Stream
    from .errors import (
        DeviceError,
        InputError,
        ModelError,
        NoisewatchError,
        OutputError,
        ParityError,
        ThresholdError,
        UsageError,
    )
    from .evaluation.api import evaluate
    from .evaluation.estimate import Estimate
    from .evaluation.figures import Report, ScorerFigures, WindowScores
    from .recordings.file_report import FileReport, Segment
    from .recordings.judge import scan
    from .tasks.check import Answer, check
    from .tasks.listen import listen

__all__ = [
    "Answer",
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
    "ThresholdError",
    "UsageError",
    "WindowScores",
    "__version__",
    "check",
    "evaluate",
    "listen",
    "scan",
]

_HOMES = {
    "core.detector": ("DetectorConfig",),
    "core.events": ("Event", "Reading"),
    "core.noise_detector": ("NoiseDetector",),
    "core.stream": ("Stream",),
    "evaluation.api": ("evaluate",),
    "evaluation.estimate": ("Estimate",),
    "evaluation.figures": ("Report", "ScorerFigures", "WindowScores"),
    "recordings.file_report": ("FileReport", "Segment"),
    "recordings.judge": ("scan",),
    "tasks.check": ("Answer", "check"),
    "tasks.listen": ("listen",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}  # everything else is in errors

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Lazy, so the command can handle Ctrl-C before NumPy and the rest have loaded.
        if name in __all__:
            return getattr(importlib.import_module(f".{_HOME.get(name, 'errors')}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
