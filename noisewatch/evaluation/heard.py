"""A stream as a model heard it, and when the detector reported noise in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..audio.signal import SAMPLE_RATE, Samples
from ..core.events import Reading
from ..core.noise_detector import NoiseDetector
from ..tasks.false_alarms import events_at

T = TypeVar("T")
Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Heard(Generic[T]):
    """The readings of one stream, at the hop of the model's card."""

    truth: T  # the voice or the noise in the stream
    seconds: float
    readings: list[Reading]
    hop_s: float

    @property
    def unjudged_seconds(self) -> float:
        """How much was not judged, s: the time before the first window is full, and digital silence."""
        return max(0.0, self.seconds - self.hop_s * sum(reading.noise is not None for reading in self.readings))

    def spans(self, threshold: float) -> Spans:
        """When the start and the end of each noise were reported, s. One that is still on ends with the stream."""
        spans, start = [], 0.0
        for event in events_at(self.readings, threshold, self.hop_s, self.seconds):
            if event.event == "noise_start":
                start = event.time
            elif event.event == "noise_end":
                spans.append((start, event.time))
        return spans


def heard(model: NoiseDetector, samples: Samples, truth: T) -> Heard[T]:
    """Push samples (n,) at 16 kHz through a stream of the model."""
    return Heard(truth, len(samples) / SAMPLE_RATE, list(_readings(model, samples)), model.model.card.hop_s)


def _readings(model: NoiseDetector, samples: Samples) -> Iterator[Reading]:
    stream = model.stream()
    for start in range(0, len(samples), SAMPLE_RATE):
        yield from stream.push(samples[start : start + SAMPLE_RATE])
    yield from (item for item in stream.finish() if isinstance(item, Reading))
