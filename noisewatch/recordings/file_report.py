"""The result for one recording, or for one channel of it, as an object, a flat row and a JSON line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..core.events import rounded
from ..system.validation import validated


@dataclass(frozen=True)
class Segment:
    """One noise in a recording."""

    start: float  # s
    end: float  # s
    peak: float  # noise probability, 0..1
    mean: float
    snr_db: float | None  # None without speech
    level_dbfs: float | None  # of everything heard during the noise, voice included
    kind: str | None = None  # of a streaming model that is sure of it


@dataclass(frozen=True)
class FileReport:
    """Everything known about the noise in one recording. `None` where a number would be a lie."""

    path: str
    seconds: float = 0.0
    noisy: float | None = None  # share of the judged time, 0..1
    unknown: float | None = None  # share of the time that could not be judged, 0..1
    reason: str | None = None  # the most frequent reason for `unknown`
    snr_mean_db: float | None = None  # over windows in which someone speaks
    snr_median_db: float | None = None
    snr_min_db: float | None = None
    worst_start: float | None = None  # s: the 3 s with the highest noise probability
    worst_noise: float | None = None
    segments: tuple[Segment, ...] = ()
    warnings: tuple[str, ...] = ()  # of any reading, and `unfinished` or `cancelled` of the recording itself
    model: str = ""
    hop_s: float = 0.0
    threshold: float = 0.0
    channel: int | None = None  # counted from 1; None: the mean of all channels
    channels: int = 0  # of the recording; 0 if unknown
    size: int = 0  # bytes of the file
    mtime_ns: int = 0
    error: str | None = None  # why the file could not be read, or not to its end

    @property
    def title(self) -> str:
        """The path, and the channel if it is not about all of them."""
        return self.path if self.channel is None else f"{self.path} channel {self.channel}"

    @property
    def judged(self) -> bool:
        """Whether any part of it could be judged."""
        return self.noisy is not None

    @property
    def complete(self) -> bool:
        """Whether it was read to its end and judged."""
        return self.judged and self.error is None

    @property
    def judged_s(self) -> float:
        """How much of it could be judged, s."""
        return self.seconds * (1 - (self.unknown or 0.0)) if self.judged else 0.0

    @property
    def loudest(self) -> Segment | None:
        """The segment with the highest level."""
        known = [s for s in self.segments if s.level_dbfs is not None]
        return max(known, key=lambda s: s.level_dbfs or 0.0, default=None)

    def row(self) -> dict[str, Any]:
        """One flat row, for pandas.DataFrame(r.row() for r in noisewatch.scan("meetings/")).

        Its keys are the columns of the CSV format, in this order.
        """
        loudest = self.loudest
        row: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if name == "warnings":
                row["loudest_start"] = loudest.start if loudest else None
                row["loudest_dbfs"] = loudest.level_dbfs if loudest else None
            row[name] = value
        return rounded(row | {"segments": len(self.segments), "warnings": " ".join(self.warnings)})

    def json(self) -> str:
        """One JSON line, without the newline."""
        fields = rounded(asdict(self))
        fields["segments"] = [rounded(asdict(s)) for s in self.segments]
        return json.dumps({"type": "file", **fields}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> FileReport:
        """Parse a line that `json` wrote. Raises ValueError, TypeError, KeyError or AttributeError otherwise."""
        try:
            fields = json.loads(text)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error
        if fields.pop("type") != "file":
            raise ValueError("the line is not a file report")
        segments = tuple(Segment(**validated(Segment, s)) for s in fields.pop("segments"))
        fields = validated(cls, fields)
        return cls(**{**fields, "segments": segments, "warnings": tuple(map(str, fields["warnings"]))})
