"""Can this input be judged at all? Faults of the last window from the raw samples, levels from what is heard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..audio import levels
from ..audio.ring import Ring
from ..audio.signal import BLOCK, WINDOW
from .events import Reason, WarningName

SILENT_SPAN = 1e-6  # peak to peak: -120 dBFS, below the last bit of 16 and the noise of any 24-bit converter
DITHER_SPAN = 7e-5  # a whole window within one bit of 16 around zero is a muted input with dither
SILENT_S = 0.5  # silence this fresh is not judged: a muted microphone would read clean on its past
HEARD_S = 1.0  # nor is a window with less sound than this
GATED_S = 0.3  # more silence than this in a window that is judged is marked
CLIP_LEVEL = 0.985  # of full scale; a resampler rounds off what was cut at 1.0
CLIP_SAMPLES = 3  # at that level in one block
CLIP_BLOCKS = 3  # such blocks in a window

_POWER, _SPAN, _DC, _CLIPPED = range(4)


class Health:
    """Statistics of each 10 ms of the last `window` samples."""

    def __init__(self, window: int = WINDOW) -> None:
        self._blocks = Ring(window // BLOCK, 4)
        self._tail = np.zeros(0, np.float32)

    def feed(self, samples: NDArray[np.float32], heard: NDArray[np.float32]) -> None:
        """Take samples (n,) float32 at 16 kHz, and the whole blocks that the high-pass made of them.

        Silence, a constant offset and clipping are properties of the raw samples; levels are of what is heard.
        """
        buffer = np.concatenate([self._tail, samples])
        whole = len(heard)
        self._tail = buffer[whole:]
        if whole:
            x, audible = buffer[:whole].reshape(-1, BLOCK), heard.reshape(-1, BLOCK)
            top, bottom = x.max(1), x.min(1)
            rows = np.zeros((len(x), 4), np.float32)
            rows[:, _POWER] = np.einsum("ij,ij->i", audible, audible) / BLOCK
            rows[:, _SPAN] = top - bottom
            rows[:, _DC] = np.abs(x.sum(1)) / BLOCK
            if max(top.max(), -bottom.min()) >= CLIP_LEVEL:  # hardly ever, and the count costs most
                rows[:, _CLIPPED] = (np.abs(x) >= CLIP_LEVEL).sum(1) >= CLIP_SAMPLES
            self._blocks.push(rows)

    def reset(self) -> None:
        """Forget what was fed."""
        self._blocks.clear()
        self._tail = np.zeros(0, np.float32)

    def reason(self) -> Reason | None:
        """Why the present window cannot be judged, or None."""
        blocks = self._blocks.last(self._blocks.capacity)
        silent = blocks[:, _SPAN] < SILENT_SPAN
        newest = silent[-int(SILENT_S * 100) :]
        heard_s = float((~silent).sum()) / 100
        if not (len(newest) and newest.all()) and heard_s >= HEARD_S:
            return "digital_silence" if blocks[:, _SPAN].max() < DITHER_SPAN else None
        if not silent.any():
            return "too_short"
        return "dead_channel" if blocks[silent, _DC].max() > SILENT_SPAN else "digital_silence"

    def warnings(self, *, unlimited: bool = False) -> tuple[WarningName, ...]:
        """What to mind when reading the present window. unlimited: full scale is no limit of this input."""
        blocks = self._blocks.last(self._blocks.capacity)
        found: list[WarningName] = []
        if blocks[:, _CLIPPED].sum() >= CLIP_BLOCKS and not unlimited:
            found.append("clipping")
        if (blocks[:, _SPAN] < SILENT_SPAN).sum() > GATED_S * 100:
            found.append("gated")
        return tuple(found)

    def level_dbfs(self, blocks: int) -> float | None:
        """RMS level of the newest blocks of 10 ms, dBFS; None in digital silence."""
        newest = self._blocks.last(blocks)
        if not len(newest) or newest[:, _SPAN].max() < SILENT_SPAN:
            return None
        return levels.dbfs(float(newest[:, _POWER].mean()))

    def active_dbfs(self) -> float:
        """Active level of the present window, dBFS, by the definition in `levels`."""
        power = self._blocks.last(self._blocks.capacity)[:, _POWER]
        pairs = power[len(power) % 2 :].reshape(-1, 2).mean(1)  # 20 ms frames
        return levels.dbfs(levels.active_power(pairs))
