"""The voice level that pauses in speech are judged against."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Literal

ASSUMED_DBFS = -26.0  # before any voice was heard: the nominal level in ITU-T P.56 practice
MEASURED_SNR_DB = 10.0  # a voice is measured only at this SNR or above, where noise adds little to its level
REMEMBERED_S = 10.0  # of measurements. A single word is in 3 to 4 s of them, and must not move the median


class Reference:
    """The median of the active speech levels that were measured last in a stream.

    Microphone gains differ by 30 dB, so a level in dBFS alone does not show whether a sound in a pause is noise.
    Its level relative to the speaker's voice does. One shouted or whispered word does not change it.
    """

    def __init__(self, hop_s: float) -> None:
        """hop_s: s between measurements."""
        self._levels: deque[float] = deque(maxlen=max(1, round(REMEMBERED_S / hop_s)))

    @property
    def dbfs(self) -> float:
        """The level, dBFS."""
        return median(self._levels) if self._levels else ASSUMED_DBFS

    @property
    def origin(self) -> Literal["heard", "assumed"]:
        """Whether the level was measured in this stream, or is assumed because no voice was heard yet."""
        return "heard" if self._levels else "assumed"

    def add(self, dbfs: float) -> None:
        """Take the active speech level of a window, dBFS."""
        self._levels.append(dbfs)
