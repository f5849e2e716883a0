"""A thread that runs calls for the main thread, where signals (Ctrl-C) cannot interrupt them."""

from __future__ import annotations

import _thread
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class CallThread:
    """Runs calls on another thread, one at a time.

    A signal handler that raises in the middle of a `threading.Condition` leaves it locked forever. Executors,
    futures and `Thread.start` are built on conditions; a SimpleQueue is not.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None] | None] = SimpleQueue()
        weakref.finalize(self, self._calls.put, None)  # for an owner that never calls `end`
        _thread.start_new_thread(_serve, (self._calls, self._results))

    def run(self, call: Callable[[], Any]) -> Any:
        """Run the call; return its result or raise its exception."""
        self._calls.put(call)
        result = self._results.get()
        assert result is not None
        value, error = result
        if error is not None:
            raise error
        return value

    def end(self) -> None:
        """Wait for a call that was abandoned, if any, and end the thread."""
        self._calls.put(None)
        while self._results.get() is not None:
            pass


def _serve(calls: SimpleQueue[Any], results: SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        try:
            results.put((call(), None))
        except BaseException as error:
            results.put((None, error))
        del call
    results.put(None)
