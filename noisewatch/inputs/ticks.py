"""Signs of life while a source waits for something else than audio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from .source import TICK_S

T = TypeVar("T")


class Ticks:
    """Counts how often `TICK_S` has passed; does not make up for time in which the process was stopped."""

    def __init__(self) -> None:
        self._due = time.monotonic() + TICK_S

    def sleep(self, seconds: float, sign: T) -> Iterator[T]:
        """Sleep, and yield the sign for each tick."""
        return self._until(time.monotonic() + seconds, time.sleep, lambda: False, sign)

    def wait(self, future: Future[Any], seconds: float, sign: T) -> Iterator[T]:
        """Wait until a result is there, at most this long, and yield the sign for each tick."""
        return self._until(time.monotonic() + seconds, lambda s: wait([future], s), future.done, sign)

    def _until(
        self, end: float, pause: Callable[[float], object], done: Callable[[], bool], sign: T
    ) -> Iterator[T]:
        while (left_s := end - time.monotonic()) > 0 and not done():
            pause(min(left_s, max(0.0, self._due - time.monotonic())))
            now = time.monotonic()
            if now >= self._due:
                self._due = max(self._due, now - TICK_S) + TICK_S
                yield sign
