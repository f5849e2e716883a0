"""A sound file for every noise."""

from __future__ import annotations

import math
import os
import re
from collections import deque
from datetime import datetime
from pathlib import Path

from ..audio.signal import SAMPLE_RATE, Samples
from ..core.events import Event
from ..errors import UsageError
from ..system.files import abandoned_parts
from .clip_file import ClipFile, recover
from .sink import SessionInfo, Sink

TAIL_S = 0.5  # of a clip, after the noise
MAX_PRE_ROLL_S = 60.0
MAX_NAME = 40  # characters of an input's name in the names of its clips


class Clips(Sink):
    """Stores each noise as a FLAC, from `pre_roll_s` before it until half a second after it.

    Only this user can read the files: they contain what was said in the room. A clip with samples above
    full scale, which FLAC cannot hold, is a 32-bit float WAV.
    """

    wants_audio = True
    PART = r"\.\d{4}-\d\d-\d\d_\d{6}(_\d-[\w.-]*)?_noise\d+_\d+\.(flac|wav)"  # the name of an unfinished clip

    def __init__(self, folder: Path, pre_roll_s: float, *, whose: str = "") -> None:
        """whose: in the file names, for one of several inputs. Raises UsageError for a pre-roll out of range."""
        if not 0 <= pre_roll_s <= MAX_PRE_ROLL_S:
            raise UsageError(f"--pre-roll is {pre_roll_s} s; allowed: 0 to {MAX_PRE_ROLL_S:.0f}.")
        self.name = f"the clips in {folder}"
        self._folder, self._pre_roll_s, self._whose = folder, pre_roll_s, whose
        self._rate = SAMPLE_RATE  # Hz, of the recent audio
        self._lag_s = 0.0  # until the end of a noise is decided
        self._blocks: deque[tuple[int, Samples]] = deque()  # recent audio: index of the first sample, samples
        self._clip: ClipFile | None = None  # of the noise in progress
        self._next = 0  # index of the first sample that is not yet in the clip

    def for_input(self, number: int, name: str) -> Clips:
        word = re.sub(r"[^\w.-]+", "-", name).strip("-")[:MAX_NAME]
        return Clips(self._folder, self._pre_roll_s, whose=f"_{number}-{word}")

    def open(self, session: SessionInfo) -> None:
        self._lag_s = session.decision_lag_s
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for part in abandoned_parts(self._folder, self.PART):
            recover(part)
        ClipFile(self._path(0), self._rate).probe()

    def audio(self, start: int, block: Samples, rate: int) -> None:
        if self._blocks and start != self._blocks[-1][0] + len(self._blocks[-1][1]):
            self._blocks.clear()  # nothing before a gap is joined to what follows
        self._blocks.append((start, block))
        self._rate = rate
        # This block has not been judged yet. An end within it may be decided up to its whole length later.
        settled = start - round(self._lag_s * self._rate)
        self._write(settled)
        oldest = settled - round(self._pre_roll_s * self._rate)
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) < oldest:
            self._blocks.popleft()

    def event(self, event: Event) -> None:
        if event.event == "noise_start" and self._clip is None:
            self._next = max(0, round((event.onset - self._pre_roll_s) * self._rate))
            self._clip = ClipFile(self._path(event.id or 0), self._rate)
        elif event.event == "noise_end" and self._clip is not None:
            self._write(math.ceil(((event.end or event.time) + TAIL_S) * self._rate))
            self.close()

    def close(self) -> None:
        if self._clip is not None:
            clip, self._clip = self._clip, None
            try:
                clip.finish()
            except Exception:
                clip.discard()
                raise

    def _path(self, number: int) -> Path:
        return self._folder / f"{datetime.now():%Y-%m-%d_%H%M%S}{self._whose}_noise{number}_{os.getpid()}.flac"

    def _write(self, until: int) -> None:
        """Append the samples before this index to the clip in progress."""
        if self._clip is None:
            return
        try:
            for start, block in self._blocks:
                a, b = max(self._next - start, 0), min(until - start, len(block))
                if a < b:
                    self._clip.write(block[a:b])
                    self._next = start + b
        except Exception:
            clip, self._clip = self._clip, None
            clip.discard()
            raise
