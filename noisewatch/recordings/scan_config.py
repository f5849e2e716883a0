"""The options with which a scan judges recordings."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.shipped import DEFAULT

HOP_S = 0.5  # fine enough for a recording, and five times faster than the meter's 0.1


@dataclass(frozen=True)
class ScanConfig:
    """Options that apply to every recording of a scan."""

    model: str = DEFAULT  # name of a shipped model, or the path of an .onnx file
    hop: float = HOP_S  # s
    threshold: float | None = None  # noise probability, 0..1; None: the model's own
    channel: int | None = None  # counted from 1; None: the mean of all channels
