"""Timeouts for calls into libraries that may never return."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

FLUSH_S = 1.0

T = TypeVar("T")

_hung: set[threading.Thread] = set()  # threads whose call has not returned


@contextmanager
def counted_as_hung() -> Iterator[None]:
    """Count the call that this thread makes within the block as hung until the block ends."""
    thread = threading.current_thread()
    _hung.add(thread)
    try:
        yield
    finally:
        _hung.discard(thread)


def call_with_timeout(call: Callable[[], T], seconds: float) -> T:
    """Run a call on a daemon thread; return its result or raise its exception. Raises TimeoutError.

    The calling thread handles signals in the meantime, which it could not do inside a library.
    """
    outcome: list[Any] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            with counted_as_hung():
                outcome.append(call())
        except BaseException as error:  # raised again in the calling thread
            failure.append(error)
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError(f"no answer within {seconds:g} s")
    if failure:
        raise failure[0]
    result: T = outcome[0]
    return result


def exit_if_hung(code: object) -> None:
    """End the process at once if a call has not returned: the exit handlers of the library would wait for it."""
    if _hung:
        with suppress(TimeoutError):  # stdout may have no reader
            call_with_timeout(_flush, FLUSH_S)
        os._exit(code if isinstance(code, int) else int(code is not None))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
