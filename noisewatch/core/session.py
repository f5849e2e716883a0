"""A source, heard to its end through one stream: gaps, stalls and backlogs included."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..audio.signal import Samples
from ..errors import ModelError, NoisewatchError
from ..inputs.source import TICK_S, Lost, Source
from .events import Event, Reading, utc
from .stream import Stream

LATE_S = 0.5  # a live block that waited longer: skip to the newest window
STALL_S = 3.0  # without a block before an input is said to be stalled; a start may take two


class Session:
    """Everything that a source gives, or its first `seconds`, judged as it comes: iterate over it once.

    heard: is given the samples, at the source's rate, before they are judged; lost: how many are missing
    between them. stalls: whether an input that sends nothing is said to be stalled.
    """

    def __init__(
        self,
        source: Source,
        stream: Stream,
        *,
        seconds: float | None = None,
        heard: Callable[[Samples], None] = lambda block: None,
        lost: Callable[[int], None] = lambda samples: None,
        stalls: bool = True,
    ) -> None:
        self.source, self.stream = source, stream
        self._seconds = math.inf if seconds is None else seconds
        self._heard, self._lost, self._stalls = heard, lost, stalls
        self._drops = 0  # when the present noise began
        self._made: deque[Reading | Event] = deque()  # decided, and not given yet

    def __iter__(self) -> Iterator[Reading | Event]:
        source, stream = self.source, self.stream
        # What a pipe sends may take longer than it lasts, or never come: --seconds are of the clock there, too.
        deadline = time.monotonic() + self._seconds if source.pauses else math.inf
        spent = waited = 0.0
        with contextlib.closing(source.blocks()) as blocks:
            try:
                for block in blocks:
                    if block is None:
                        waited += TICK_S
                        if self._stalls and waited >= STALL_S and waited % 1 == 0:  # once a second
                            yield from self._given(stream.pause() if source.pauses else stream.lose("stalled"))
                    elif isinstance(block, Lost):
                        spent += block.seconds
                        self._lost(round(block.seconds * source.sample_rate))
                        yield from self._given(stream.lose("gap", block.seconds))
                    elif not len(block):
                        waited = 0.0
                    else:
                        waited = 0.0
                        rate = source.sample_rate
                        block = block[: round(min(self._seconds - spent, len(block) / rate) * rate)]
                        spent += len(block) / rate
                        self._heard(block)
                        behind = source.live and source.late_s > max(LATE_S, 2 * stream.hop_s)
                        yield from self._given(stream.process(block, sample_rate=rate, behind=behind))
                    idle = waited if source.live and waited >= STALL_S else 0.0  # a dead input ends, too
                    if spent + idle >= self._seconds - 1e-6 or time.monotonic() >= deadline:
                        break
            except ModelError:
                yield from self.interrupted()
                raise
            except NoisewatchError:
                # What was heard until then still counts, and what was going on ends here.
                yield from self._given(stream.lose("stalled") if source.live else stream.finish())
                raise
        yield from self._given(stream.finish())

    def interrupted(self) -> list[Reading | Event]:
        """Whoever iterates stops here: what was decided and not given yet, and the end of what was going on."""
        rest, self._made = [*self._made], deque()
        return [*rest, *self._named(self.stream.detector.finish(self.stream.time))]

    def _given(self, items: Sequence[Reading | Event]) -> Iterator[Reading | Event]:
        self._made.extend(self._named(items))
        while self._made:
            yield self._made.popleft()

    def _named(self, items: Sequence[Reading | Event]) -> list[Reading | Event]:
        """Events with what the stream does not know: the device, the model, audio lost meanwhile."""
        named: list[Reading | Event] = []
        for item in items:
            if isinstance(item, Event):
                if item.event == "noise_start":
                    self._drops = self.source.drops
                drops = None if item.id is None else self.source.drops - self._drops
                item = replace(item, device=self.source.name, model=self.stream.model.card.name, drops=drops)
            now = self.source.live or self.source.pauses  # a pipe is rarely anything else
            named.append(replace(item, utc=utc()) if now else item)
        return named
