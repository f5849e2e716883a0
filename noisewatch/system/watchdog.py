"""Terminates network runs that do not end by themselves."""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import Any

POLL_S = 1.0
POLLS = 10  # polls until a run is terminated: time alone would also pass while the process is suspended

_runs: dict[int, Any] = {}  # number of the run -> its onnxruntime.RunOptions
_numbers = itertools.count()
_watching = 0  # id of the process whose thread is polling: a fork inherits no thread
_lock = threading.Lock()


def begin(options: Any) -> int:
    """Watch a run of ONNX Runtime, and terminate it after about 10 s. Returns its number. Takes a microsecond."""
    number = next(_numbers)
    _runs[number] = options
    if _watching != os.getpid():
        _start()
    return number


def end(number: int) -> None:
    """Stop watching the run of this number: it has ended."""
    del _runs[number]


def _start() -> None:
    global _watching
    with _lock:
        if _watching != os.getpid():
            _watching = os.getpid()
            threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    """Poll until there is an interval without any run."""
    global _watching
    polls: dict[int, int] = {}  # number of the run -> number of polls that saw it
    last = -1
    while True:
        time.sleep(POLL_S)
        running = dict(_runs)
        polls = {number: polls.get(number, 0) + 1 for number in running}
        for number, seen in polls.items():
            if seen >= POLLS:
                running[number].terminate = True
        newest = next(_numbers)
        if running or newest != last + 1:
            last = newest
            continue
        _watching = 0
        if not _runs:  # a run that begins after this line starts a new thread
            return
        _watching = os.getpid()
