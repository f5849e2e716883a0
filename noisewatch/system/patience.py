"""Calls into libraries that may never return: made on a thread that nobody has to wait for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

FLUSH_S = 1.0

T = TypeVar("T")

_unreturned: set[threading.Thread] = set()


def patiently(call: Callable[[], T], seconds: float) -> T:
    """What the call returns or raises. Raises TimeoutError when it is not done in time.

    The caller obeys signals meanwhile, which it would not inside a library.
    """
    outcome: list[Any] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # handed on to whoever waits
            failure.append(error)
        finally:
            _unreturned.discard(thread)
            done.set()

    thread = threading.Thread(target=work, daemon=True)
    _unreturned.add(thread)
    thread.start()
    if not done.wait(seconds):
        raise TimeoutError(f"no answer within {seconds:g} s")
    if failure:
        raise failure[0]
    result: T = outcome[0]
    return result


def leave(code: object) -> None:
    """End the process here if a call has not returned: the libraries' own clean-up would wait for it, too."""
    if _unreturned:
        with suppress(TimeoutError):  # nobody may be reading
            patiently(_flush, FLUSH_S)
        os._exit(code if isinstance(code, int) else int(code is not None))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
