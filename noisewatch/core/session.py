"""One source judged by one stream, from start to end: stalls, gaps and backlogs included."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..audio.signal import Samples
from ..errors import ModelError, NoisewatchError
from ..inputs.source import TICK_S, Gone, Lost, Source
from .events import Event, Reading, utc
from .stream import Stream

LATE_S = 0.5  # a live block that waited longer is late: skip to the newest window
STALL_S = 3.0  # time without a block after which an input counts as stalled; a device may take 2 s to start


class Session:
    """Judges what a source sends, as it arrives. Iterate over it once for the readings and events.

    It adds what a stream cannot know: that an input has stalled or is ahead, the names of device and model, the
    wall clock.

    source   where the audio comes from; the caller closes it
    stream   a fresh stream
    input    the name that items carry as `input`, for one of several sources
    seconds  stop after this much audio, s; default: at the end of the source. Time in which a live input sends
             nothing counts once it has stalled; for a pipe, wall-clock time counts too
    heard    called with each block (n,) and its sample rate (Hz), before it is judged
    lost     called with how much audio is missing before the next block, s
    stalls   whether to report an input that sends nothing for 3 s as stalled

    Errors of the source and the model (NoisewatchError) are raised while iterating, after the readings and events
    that were due until then.

    >>> session = Session(source, NoiseDetector().stream(), seconds=60)
    >>> for item in session:
    ...     print(item.json())
    """

    def __init__(
        self,
        source: Source,
        stream: Stream,
        *,
        input: str | None = None,
        seconds: float | None = None,
        heard: Callable[[Samples, int], None] = lambda block, rate: None,
        lost: Callable[[float], None] = lambda seconds: None,
        stalls: bool = True,
    ) -> None:
        self.source, self.stream, self.input = source, stream, input
        self._seconds = math.inf if seconds is None else seconds
        self._heard, self._lost, self._stalls = heard, lost, stalls
        self._spent = 0.0  # s of audio so far, including what was lost
        self._waited = 0.0  # s since the last block
        self._silent = 0.0  # s since the last block, or since the device was opened
        self._gone = False  # whether there is no device
        self._device = source.name
        self._drops = 0  # of the source, when the current noise began
        self._pending: deque[Reading | Event] = deque()  # not yet yielded

    def __iter__(self) -> Iterator[Reading | Event]:
        source = self.source
        # The writer of a pipe may send audio slower than real time, or none, so `seconds` limits wall time, too.
        deadline = time.monotonic() + self._seconds if source.pauses else math.inf
        with contextlib.closing(source.blocks()) as blocks:
            try:
                for block in blocks:
                    yield from self._yielded(self._judge(block))
                    idle = self._waited if source.live and self._waited >= STALL_S else 0.0
                    left_s = self._seconds - self._spent - idle
                    if left_s * source.sample_rate < 0.5 or left_s <= 0 or time.monotonic() >= deadline:
                        break  # less than half a sample is left
            except ModelError:
                yield from self.interrupted()
                raise
            except NoisewatchError:
                # The audio until then still counts, and a noise that is on ends here.
                yield from self._yielded(self.stream.lose("disconnected") if source.live else self.stream.finish())
                raise
        yield from self._yielded(self.stream.finish())

    def interrupted(self) -> list[Reading | Event]:
        """Abandon the iteration. Returns the items not yet yielded, and the end of a noise that is on."""
        rest, self._pending = [*self._pending], deque()
        return [*rest, *self._labelled(self.stream.detector.finish(self.stream.time))]

    def _judge(self, block: Samples | Lost | Gone | None) -> list[Reading | Event]:
        """Judge what the source sent: audio, a gap, or nothing for a tick."""
        source, stream = self.source, self.stream
        if isinstance(block, Gone):
            first, self._gone = not self._gone, True
            self._waited += 0.0 if first else TICK_S
            self._silent = 0.0
            return stream.lose("disconnected") if first or self._waited % 1 == 0 else []  # one reading per second
        self._gone = False
        if block is None:
            self._waited += TICK_S
            self._silent += TICK_S
            if not self._stalls or self._silent < STALL_S or self._silent % 1:  # one reading per second
                return []
            return stream.pause() if source.pauses else stream.lose("stalled")
        if isinstance(block, Lost):
            self._waited = self._silent = 0.0  # it includes the time that was waited
            self._spent += block.seconds
            self._lost(block.seconds)
            moved, self._device = source.name != self._device, source.name
            return stream.lose("gap", block.seconds, moved=moved)
        self._waited = self._silent = 0.0
        if not len(block):
            return []
        rate = source.sample_rate
        block = block[: round(min(self._seconds - self._spent, len(block) / rate) * rate)]
        self._spent += len(block) / rate
        self._heard(block, rate)
        behind = source.live and source.late_s > max(LATE_S, 2 * stream.hop_s)
        return stream.process(block, sample_rate=rate, behind=behind)

    def _yielded(self, items: Sequence[Reading | Event]) -> Iterator[Reading | Event]:
        self._pending.extend(self._labelled(items))
        while self._pending:
            yield self._pending.popleft()

    def _labelled(self, items: Sequence[Reading | Event]) -> list[Reading | Event]:
        """The items with device, model, drops and wall clock."""
        labelled: list[Reading | Event] = []
        for item in items:
            if isinstance(item, Event):
                if item.event == "noise_start":
                    self._drops = self.source.drops
                drops = None if item.id is None else self.source.drops - self._drops
                item = replace(item, device=self.source.name, model=self.stream.model.card.name, drops=drops)
            now = self.source.live or self.source.pauses  # a pipe usually carries a live input
            if now or self.input is not None:
                item = replace(item, input=self.input, utc=utc() if now else None)
            labelled.append(item)
        return labelled
