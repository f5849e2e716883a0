"""The signals that end a run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# `timeout` signals the process and then its group: two within this time count as one.
REPEAT_S = 1.0


class Stopped(Exception):
    """A signal has ended a loop."""


class Stop:
    """Signals set a flag that loops check where the state is consistent; a second one interrupts at once.

    Handlers that raise would not do: Python discards an exception that is raised in a `__del__` or in a callback
    from C, and PyTorch's data loader waits for its workers in a `__del__`.
    """

    def __enter__(self) -> Stop:
        self.code: int | None = None  # exit code for the signal that has arrived
        self._first = 0.0
        self._before = {number: signal.signal(number, self._take) for number in stopping_signals()}
        return self

    def _take(self, number: int, _: object) -> None:
        if self.code is None:
            self.code, self._first = 128 + number, time.monotonic()
        elif time.monotonic() - self._first > REPEAT_S:
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """The items until a signal arrives. Raises Stopped then."""
        for item in items:
            if self.code is not None:
                raise Stopped
            yield item


def stopping_signals() -> list[signal.Signals]:
    """Ctrl-C, SIGTERM, and the end of the terminal unless it is ignored, as under nohup."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        numbers.append(hang_up)
    return numbers


def leave_to_parent() -> None:
    """Ignore the signals in a worker: they reach the whole process group, but the parent decides when to stop."""
    for number in stopping_signals():
        signal.signal(number, signal.SIG_IGN)
