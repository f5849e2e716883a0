"""Is there noise behind the voice?

>>> import noisewatch
>>> stream = noisewatch.NoiseDetector().stream()
>>> for reading in stream.push(samples, sample_rate=48_000):
...     print(reading.time, reading.state, reading.noise)
"""

from .detector import DetectorConfig
from .engine import NoiseDetector, Stream
from .errors import (
    DeviceError,
    InputError,
    ModelError,
    NoisewatchError,
    OutputError,
    ParityError,
    UsageError,
)
from .events import Event, Reading

__version__ = "0.1.0"

__all__ = [
    "DetectorConfig",
    "DeviceError",
    "Event",
    "InputError",
    "ModelError",
    "NoiseDetector",
    "NoisewatchError",
    "OutputError",
    "ParityError",
    "Reading",
    "Stream",
    "UsageError",
    "__version__",
]
