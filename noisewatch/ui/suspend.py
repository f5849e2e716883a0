"""Ctrl-Z and `fg`: the meter leaves the terminal as it was, and comes back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live


@contextmanager
def suspendable(meter: Live, flush: Callable[[], object]) -> Iterator[None]:
    """Within the block, a stop signal from the terminal first takes the meter off the screen.

    flush: waits until the terminal has everything that was written. Call it from the main thread.
    """
    number = getattr(signal, "SIGTSTP", None)  # not on Windows
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return

    def stop(*_: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-Z in the meantime
        meter.stop()
        flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # returns when the process is continued
        meter.start()
        signal.signal(number, stop)

    signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)
