"""Hands events and audio to the sinks of a session. No sink can hold up the session or another sink."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..audio.signal import Samples
from ..core.events import Event, utc
from ..errors import OutputError
from .sink import SessionInfo, Sink

QUEUE = 256  # events and blocks of audio that may wait for a sink
OPEN_S = 1.0  # time to open a sink before the session starts regardless
PUT_S = 20.0  # time that a recording waits, once, for room in the queue of a slow sink
DRAIN_S = 10.0  # time for all sinks together to drain their queues at the end, while they make progress
CLOSE_S = 0.7  # added to DRAIN_S; also the time after which a sink without progress is abandoned


Audio = tuple[int, Samples, int]  # the arguments of `Sink.audio`


class Dispatcher:
    """The sinks of a session, each on its own thread."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        warn: Callable[[str], None],
        session: SessionInfo,
        inputs: Sequence[str] = (),
    ) -> None:
        """Open all sinks. warn: called with one sentence when a sink first fails; inputs: names, if several.

        A recording waits for slow sinks; a live input never does. Raises OutputError for a sink that cannot write.
        """
        put_s = 0.0 if session.live else PUT_S
        self._threads: list[SinkThread] = []
        self._feeds: dict[str | None, _Feed] = {name: _Feed([]) for name in inputs or (None,)}
        for sink in sinks:
            threads: dict[int, SinkThread] = {}  # by identity of the sink for an input, often the same for all
            for number, (name, feed) in enumerate(self._feeds.items(), 1):
                own = sink if name is None else sink.for_input(number, name)
                if id(own) not in threads:
                    threads[id(own)] = SinkThread(own, warn, put_s)
                feed.threads.append(threads[id(own)])
            self._threads += threads.values()
        for thread in self._threads:
            thread.open(session)

    def event(self, event: Event) -> None:
        """Hand an event to every sink of its input, with the current time of day if it has none."""
        event = event if event.utc else replace(event, utc=utc())
        for thread in self._feeds[event.input].threads:
            thread.put(event)

    def audio(self, block: Samples, rate: int, *, input: str | None = None) -> None:
        """Hand mono samples at the source's rate (Hz) to the sinks that want audio."""
        feed = self._feeds[input]
        if rate != feed.rate:
            self.skip(0.0, input=input)
            feed.rate = rate
        for thread in feed.threads:
            if thread.sink.wants_audio:
                thread.put((round(feed.resumed_s * rate) + feed.since, block, rate))
        feed.since += len(block)

    def skip(self, seconds: float, *, input: str | None = None) -> None:
        """Count audio that was lost before the next block, s."""
        feed = self._feeds[input]
        feed.resumed_s += feed.since / feed.rate + seconds
        feed.since = 0

    def close(self) -> list[str]:
        """Close all sinks; returns a sentence for each one that lost events."""
        ended = time.monotonic()
        for thread in self._threads:
            thread.finish(ended)
        for thread in self._threads:
            thread.join(ended)
        return [f"{t.sink.name}: {t.lost} event{'' if t.lost == 1 else 's'} lost" for t in self._threads if t.lost]


@dataclass
class _Feed:
    """The sinks of one input, and how far its audio has come."""

    threads: list[SinkThread]
    resumed_s: float = 0.0  # end of the latest gap within the session, s
    since: int = 0  # samples since then ...
    rate: int = 1  # ... and their rate, Hz


class SinkThread:
    """A sink behind a bounded queue, on its own thread."""

    def __init__(self, sink: Sink, warn: Callable[[str], None], put_s: float) -> None:
        """put_s: time that `put` may wait for room in the queue."""
        self.sink, self._warn, self._put_s = sink, warn, put_s
        self.lost = 0  # events that the sink did not process
        self._warned = False
        self._counting = threading.Lock()  # several inputs may fail at once
        self._opened = threading.Event()
        self._open_error: Exception | None = None
        self._queue: queue.Queue[SessionInfo | Event | Audio | None] = queue.Queue(QUEUE)
        self._progress = 0.0  # when it last finished an item, on the monotonic clock
        self._closed = threading.Event()  # an interrupted Thread.join cannot be repeated
        threading.Thread(target=self._run, daemon=True).start()

    def open(self, session: SessionInfo) -> None:
        """Open the sink. Raises OutputError if it cannot write; one slower than OPEN_S opens in the background."""
        self._queue.put(session)
        self._opened.wait(OPEN_S)
        if self._open_error is not None:
            raise OutputError(f"{self.sink.name} cannot be written: {_reason(self._open_error)}. Use another path.")

    def put(self, item: Event | Audio) -> None:
        """Queue an event, or the arguments of `Sink.audio`; waits at most put_s, and only once."""
        try:
            self._queue.put(item, block=self._put_s > 0, timeout=self._put_s)
        except queue.Full:
            self._put_s = 0.0
            self._failed("it is too slow", lost=isinstance(item, Event))

    def finish(self, ended: float) -> None:
        """Queue the end; ended: end of the session, on the monotonic clock."""
        for left in self._time_left(ended):
            with contextlib.suppress(queue.Full):
                return self._queue.put(None, timeout=left)

    def join(self, ended: float) -> None:
        """Wait until the queue is drained, as long as there is progress and time; then abort."""
        if self._closed.is_set() or any(self._closed.wait(left) for left in self._time_left(ended)):
            return
        self.lost += sum(isinstance(item, Event) for item in list(self._queue.queue))
        self._failed("it does not finish", lost=True)
        self.sink.abort()

    def _time_left(self, ended: float) -> Iterator[float]:
        """Yield the time until this sink is abandoned, s, for as long as progress extends it."""
        stuck_s = CLOSE_S + self.sink.event_s
        deadline = ended + DRAIN_S + CLOSE_S
        while (left := min(deadline, max(ended, self._progress) + stuck_s) - time.monotonic()) > 0:
            yield left

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._process(item)
            self._progress = time.monotonic()
        self._process(None)
        self._closed.set()

    def _process(self, item: Any) -> None:
        try:
            if item is None:
                self.sink.close()
            elif isinstance(item, SessionInfo):
                self.sink.open(item)
            elif isinstance(item, Event):
                self.sink.event(item)
            else:
                self.sink.audio(*item)
        except Exception as error:  # a sink may raise anything
            if isinstance(item, SessionInfo):
                self._open_error = error
            else:
                # A failure in `audio` spoils the clip of an event; one in `close` comes after all events.
                self._failed(_reason(error), lost=item is not None)
        if isinstance(item, SessionInfo):
            self._opened.set()

    def _failed(self, why: str, *, lost: bool) -> None:
        with self._counting:
            self.lost += lost
            first, self._warned = not self._warned, True
        if first:
            self._warn(f"{self.sink.name} failed ({why}). Listening continues; lost events are counted.")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
