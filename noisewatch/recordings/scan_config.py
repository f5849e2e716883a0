"""The options of a scan: how it judges recordings, and how it writes the results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..core.shipped import DEFAULT

HOP_S = 0.5  # fine enough for a recording, and five times faster than the meter's 0.1


class Channels(StrEnum):
    """What is judged of a recording with several channels: their mean, or each by itself."""

    mean = "mean"
    apart = "apart"


@dataclass(frozen=True)
class ScanConfig:
    """Options that apply to every recording of a scan."""

    model: str = DEFAULT  # name of a shipped model, or the path of an .onnx file
    hop: float = HOP_S  # s
    threshold: float | None = None  # noise probability, 0..1; None: the model's own
    channel: int | None = None  # counted from 1; None: as `channels` says
    channels: Channels = Channels.mean


class Format(StrEnum):
    """How results are written. The last three are label files, one per recording."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"
    audacity = "audacity"
    rttm = "rttm"
    textgrid = "textgrid"
