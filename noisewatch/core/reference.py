"""The voice level that pauses in speech are judged against."""

from __future__ import annotations

import math
from typing import Literal

ASSUMED_DBFS = -26.0  # before any voice was heard: the nominal level in ITU-T P.56 practice
MEASURED_SNR_DB = 10.0  # a voice is measured only at this SNR or above, where noise adds little to its level
AVERAGED_S = 2.0  # time constant of the average over such measurements


class Reference:
    """An average of the active speech levels that were measured in a stream.

    Microphone gains differ by 30 dB, so a level in dBFS alone does not show whether a sound in a pause is noise.
    Its level relative to the speaker's voice does.
    """

    def __init__(self, hop_s: float) -> None:
        """hop_s: s between measurements."""
        self._dbfs: float | None = None
        self._share = 1 - math.exp(-hop_s / AVERAGED_S)

    @property
    def dbfs(self) -> float:
        """The level, dBFS."""
        return ASSUMED_DBFS if self._dbfs is None else self._dbfs

    @property
    def origin(self) -> Literal["heard", "assumed"]:
        """Whether the level was measured in this stream, or is assumed because no voice was heard yet."""
        return "assumed" if self._dbfs is None else "heard"

    def add(self, dbfs: float) -> None:
        """Take the active speech level of a window, dBFS."""
        if self._dbfs is None:
            self._dbfs = dbfs
        self._dbfs += self._share * (dbfs - self._dbfs)
