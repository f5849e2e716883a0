"""The Python entry point to streams: load a network once, and open any number of streams from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from numpy.typing import ArrayLike

from ..audio.signal import SAMPLE_RATE
from ..errors import UsageError
from .detector import DetectorConfig
from .estimates import together
from .events import Event, Reading
from .model import Model
from .shipped import DEFAULT
from .stream import Stream


class NoiseDetector:
    """A loaded network that opens any number of streams, on any thread.

    >>> detector = NoiseDetector()
    >>> stream = detector.stream()
    >>> for reading in stream.push(samples, sample_rate=48_000):  # (n,) float in -1..1, or int16
    ...     print(reading.time, reading.state, reading.noise)

    model  the network and its card: `detector.model.card.threshold`, for example
    """

    def __init__(self, model: str | Path = DEFAULT) -> None:
        """Load a shipped model by name ("duo", "tcn", ...) or an ONNX file by path.

        Raises ModelError if there is no such model, or if the file is not a noisewatch model of this version.
        """
        self.model = Model(model)

    def stream(
        self, *, hop: float | None = None, threshold: float | None = None, config: DetectorConfig | None = None
    ) -> Stream:
        """Open a stream. Streams share nothing but the network.

        hop        s between readings: a multiple of 0.01 from 0.01 to 60, and of the step of a streaming model;
                   default: the model's, usually 0.1
        threshold  readings with at least this noise probability count as noise, 0.05 to 0.99; default: the model's
        config     all options of the verdict. Its threshold replaces the model's; to change only a time, pass
                   `DetectorConfig(detector.model.card.threshold, min_on_s=1.0)`

        Raises UsageError for a value out of range, and if both threshold and config are given.
        """
        return Stream(self.model, hop=hop, threshold=threshold, config=config)

    def push_many(
        self, streams: Sequence[Stream], blocks: Sequence[ArrayLike], *, sample_rate: int = SAMPLE_RATE
    ) -> list[list[Reading]]:
        """Push one block into each of several streams: `process_many` without the events."""
        processed = self.process_many(streams, blocks, sample_rate=sample_rate)
        return [[item for item in items if isinstance(item, Reading)] for items in processed]

    def process_many(
        self, streams: Sequence[Stream], blocks: Sequence[ArrayLike], *, sample_rate: int = SAMPLE_RATE
    ) -> list[list[Reading | Event]]:
        """Process one block in each of several streams, as `Stream.process` does, with the same result.

        A streaming network takes the steps of all streams in one call, which costs less than one call each.
        Raises what `process` raises, before anything is taken of any block unless the network fails; and UsageError
        for another number of blocks, a stream that is given twice, or a stream of another detector.
        """
        if len(streams) != len(blocks):
            raise UsageError(
                f"there are {len(streams)} streams and {len(blocks)} blocks. Give each stream one block."
            )
        if any(stream.model is not self.model for stream in streams):
            raise UsageError("a stream is of another detector. Push it with its own.")
        if len({id(stream) for stream in streams}) < len(streams):
            raise UsageError("a stream is given twice. Give each stream once.")
        judging = [s.judging(block, sample_rate) for s, block in zip(streams, blocks, strict=True)]
        return together(self.model, judging)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a NoiseDetector cannot be pickled or copied: it holds a network that is loaded in this process. Pass "
            f"the model's name instead and load it there: NoiseDetector({str(self.model.path)!r})."
        )
