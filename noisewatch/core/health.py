"""Whether the input can be judged at all, and how loud it is: defects and levels of the last window.

`Health.reason` detects every reason for `unknown` that the samples show, `Health.warnings` every such warning. The
docstring of `events.py` explains how to add one.
"""

from __future__ import annotations

import numpy as np

from ..audio import levels
from ..audio.ring import Ring
from ..audio.signal import BLOCK, SAMPLE_RATE, WINDOW, Samples
from .events import Reason, WarningName

SILENT_SPAN = 1e-6  # peak to peak: -120 dBFS, below the last of 16 bits and the noise of any 24-bit converter
DITHER_SPAN = 7e-5  # peak to peak of a whole window: +-1 LSB at 16 bits, as a muted input with dither has
SILENT_S = (
    0.5  # a window with this much silence at its end is not judged: its start would make a muted input read clean
)
HEARD_S = 1.0  # a window with less sound is not judged
GATED_S = 0.2  # more silence than this between sounds in a window raises the warning `gated`
MUTED_DBFS = -80.0  # a window without a block of 10 ms above this, and as far below the voice, is muted ...
MUTED_DB = -60.0  # ... relative to the voice: microphone gains differ by 30 dB
OFFSET = 0.01  # of full scale: a larger constant offset raises the warning `dc`
CLIP_LEVEL = 0.985  # of full scale: a resampler smooths samples that were cut at 1.0
CLIP_SAMPLES = 3  # samples at that level that make a block clipped
CLIP_BLOCKS = 3  # clipped blocks in a window that raise the warning `clipping`
BLOCKS_PER_S = SAMPLE_RATE // BLOCK

_POWER, _SPAN, _DC, _CLIPPED = range(4)  # columns of the statistics: a row for each block of 10 ms


class Health:
    """Statistics of each 10 ms of a rolling window of samples."""

    def __init__(self, window: int = WINDOW) -> None:
        """window: length in samples at 16 kHz."""
        self._blocks = Ring(window // BLOCK, 4)  # (blocks, 4)
        self._tail = np.zeros(0, np.float32)

    def feed(self, samples: Samples, filtered: Samples) -> None:
        """Take samples (n,) at 16 kHz, and the whole blocks (160 k,) that the high-pass has completed with them.

        Silence, a constant offset and clipping are measured on the raw samples, levels on the filtered ones.
        """
        buffer = np.concatenate([self._tail, samples])
        whole = len(filtered)
        self._tail = buffer[whole:]
        if whole:
            x, audible = buffer[:whole].reshape(-1, BLOCK), filtered.reshape(-1, BLOCK)
            top, bottom = x.max(1), x.min(1)
            rows = np.zeros((len(x), 4), np.float32)
            rows[:, _POWER] = np.einsum("ij,ij->i", audible, audible) / BLOCK
            rows[:, _SPAN] = top - bottom
            rows[:, _DC] = x.sum(1) / BLOCK
            if max(top.max(), -bottom.min()) >= CLIP_LEVEL:  # rare, and the count is the costliest part
                rows[:, _CLIPPED] = (np.abs(x) >= CLIP_LEVEL).sum(1) >= CLIP_SAMPLES
            self._blocks.push(rows)

    def reset(self) -> None:
        """Forget what was fed."""
        self._blocks.clear()
        self._tail = np.zeros(0, np.float32)

    def reason(self, voice_dbfs: float) -> Reason | None:
        """Why the current window cannot be judged, or None. voice_dbfs: level of the voice in this stream."""
        blocks = self._blocks.last(self._blocks.capacity)
        silent = blocks[:, _SPAN] < SILENT_SPAN
        newest = silent[-int(SILENT_S * BLOCKS_PER_S) :]
        heard_s = float((~silent).sum()) / BLOCKS_PER_S
        if heard_s < HEARD_S or newest.all():
            if not silent.any():
                return "too_short"
            return "dead_channel" if np.abs(blocks[silent, _DC]).max() > SILENT_SPAN else "digital_silence"
        if blocks[:, _SPAN].max() < DITHER_SPAN:
            return "digital_silence"
        if levels.dbfs(float(blocks[:, _POWER].max())) < min(MUTED_DBFS, voice_dbfs + MUTED_DB):
            return "muted"
        return None

    def warnings(self, *, unlimited: bool = False) -> tuple[WarningName, ...]:
        """What may make the verdict on the current window less reliable.

        unlimited: samples of this input may exceed full scale, so those near it are not clipped.
        """
        blocks = self._blocks.last(self._blocks.capacity)
        found: list[WarningName] = []
        if blocks[:, _CLIPPED].sum() >= CLIP_BLOCKS and not unlimited:
            found.append("clipping")
        heard = np.flatnonzero(blocks[:, _SPAN] >= SILENT_SPAN)
        if len(heard) and heard[-1] - heard[0] + 1 - len(heard) > GATED_S * BLOCKS_PER_S:  # silent in between
            found.append("gated")
        if abs(blocks[:, _DC].mean()) > OFFSET:
            found.append("dc")
        return tuple(found)

    def level_dbfs(self, blocks: int) -> float | None:
        """RMS level of the newest blocks of 10 ms, dBFS; None in digital silence and before the first block."""
        newest = self._blocks.last(blocks)
        if not len(newest) or newest[:, _SPAN].max() < SILENT_SPAN:
            return None
        return levels.dbfs(float(newest[:, _POWER].mean()))

    def active_dbfs(self) -> float:
        """Active level of the current window, dBFS, as `audio.levels` defines it."""
        power = self._blocks.last(self._blocks.capacity)[:, _POWER]
        pairs = power[len(power) % 2 :].reshape(-1, 2).mean(1)  # 20 ms frames
        return levels.dbfs(levels.active_power(pairs))
