"""A process in which one step is loaded and called: `python -m noisewatch.bench.worker`.

A process of its own shows what a step adds in memory, holds its libraries to one thread, and may crash.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from ..core.ort import first_line
from .baselines import baseline_entries
from .memory import peak_mb
from .own import matrix_product, own_entries
from .task import Entry, Task, clip

WARM_UP = 3  # calls
# CPU time counts every thread, and not what other programs do meanwhile; on Windows, its clock ticks at 16 ms.
clock = time.perf_counter if sys.platform == "win32" else time.process_time


def entries(*, baselines: bool) -> list[Entry]:
    """Everything that can be timed, in the order of the report; the matrix product comes first."""
    return [matrix_product(), *own_entries(), *(baseline_entries() if baselines else ())]


def main() -> None:
    """Load the step that the first line names, and answer each following line with a line of JSON.

    A number asks for the duration of a call, in ms, over that many seconds of calls; `memory` asks for what the
    step added to the memory of this process, in MB.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # compiled libraries print
    os.dup2(null, 2)

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    name = sys.stdin.readline().strip()
    clip()
    before = peak_mb()
    try:
        (entry,) = (each for each in entries(baselines=True) if each.name == name)
        task = entry.load()
        for _ in range(WARM_UP):
            task.call()
    except Exception as error:  # any library's
        answer(problem=first_line(error), missing=isinstance(error, ModuleNotFoundError))
        return
    answer(audio_s=task.audio_s, macs=task.macs)
    for line in sys.stdin:
        if line.strip() == "memory":
            after = peak_mb()
            answer(memory_mb=None if before is None or after is None else after - before)
        else:
            answer(ms=milliseconds(task, float(line)))


def milliseconds(task: Task, seconds: float) -> float:
    """Mean duration of a call, over `seconds` of calls. The first one fills the caches, and counts only if it alone
    takes that long.
    """
    until, began = time.perf_counter() + seconds, clock()
    task.call()
    if time.perf_counter() >= until:
        return (clock() - began) * 1000
    calls, until, began = 0, time.perf_counter() + seconds, clock()
    while not calls or time.perf_counter() < until:
        task.call()
        calls += 1
    return (clock() - began) / calls * 1000


if __name__ == "__main__":
    main()
