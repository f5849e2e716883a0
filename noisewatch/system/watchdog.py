"""Runs of a network that do not end by themselves."""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import Any

LOOK_S = 1.0
LOOKS = 10  # in which a run may be seen; counted, as the clock goes on while a process is stopped

_runs: dict[int, Any] = {}  # RunOptions by a number of their own
_numbers = itertools.count()
_watching = 0  # the process that has a thread for it: a fork has none
_lock = threading.Lock()


def begin(options: Any) -> int:
    """Watch a run of ONNX Runtime: some 10 s later it is told to stop. Costs a microsecond."""
    number = next(_numbers)
    _runs[number] = options
    if _watching != os.getpid():
        _start()
    return number


def end(number: int) -> None:
    """The run that `begin` gave this number has ended."""
    del _runs[number]


def _start() -> None:
    global _watching
    with _lock:
        if _watching != os.getpid():
            _watching = os.getpid()
            threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    """Look every second, for as long as there is something to look at."""
    global _watching
    seen: dict[int, int] = {}
    last = -1
    while True:
        time.sleep(LOOK_S)
        running = dict(_runs)
        seen = {number: seen.get(number, 0) + 1 for number in running}
        for number, looks in seen.items():
            if looks >= LOOKS:
                running[number].terminate = True
        newest = next(_numbers)
        if running or newest != last + 1:
            last = newest
            continue
        _watching = 0
        if not _runs:  # a run that began meanwhile saw nobody watching, or is seen here
            return
        _watching = os.getpid()
