"""A step in a process of its own, seen from the process that asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

from ..errors import NoisewatchError
from ..system.timeouts import call_with_timeout
from .task import Entry

WORKER = "noisewatch.bench.worker"
ANSWER_S = 120.0  # time for any answer: many load at once, on a machine that may be slow
KILL_S = 1.0  # time that a process may take to end when it is killed
# Every library for parallel loops and matrix products that numpy and the baselines may bring.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "RAYON")} | {
    "VECLIB_MAXIMUM_THREADS": "1"
}


class Unfit(NoisewatchError):
    """A step that cannot be timed. missing: its package is not installed."""

    def __init__(self, problem: str, *, missing: bool = False) -> None:
        super().__init__(problem)
        self.missing = missing


class Contestant:
    """One step, loaded in a process that began with this object. Every method raises Unfit if that fails.

    entry    the step
    audio_s  s of audio that a call stands for; known after `load`
    macs     multiply-accumulates of a call; None: not counted
    """

    def __init__(self, entry: Entry) -> None:
        self.entry, self.audio_s = entry, 0.0
        self.macs: float | None = None
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        # -P: the folder that the user is in holds no modules of ours. A session of its own: Ctrl-C is for us.
        command = [sys.executable, "-P", "-m", WORKER]
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=null, text=True, encoding="utf-8",
                env={**os.environ, **ONE_THREAD}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unfit(f"its process does not start: {error.strerror or error}") from error
        with suppress(OSError):  # it has ended, as `load` will find
            self._send(entry.name)

    def load(self) -> None:
        """Wait until it is loaded."""
        loaded = self._answer()
        self.audio_s, self.macs = loaded["audio_s"], loaded["macs"]

    def ms(self, seconds: float) -> float:
        """Duration of a call, ms, over some seconds of calls."""
        return float(self._ask(str(seconds))["ms"])

    def memory_mb(self) -> float | None:
        """What it added to the memory of its process so far, MB; None where the system does not tell."""
        added: float | None = self._ask("memory")["memory_mb"]
        return added

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it may be stuck in the kernel
            self._process.wait(KILL_S)

    def _ask(self, line: str) -> dict[str, Any]:
        with suppress(OSError):  # no answer will come either
            self._send(line)
        return self._answer()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = call_with_timeout(self._process.stdout.readline, ANSWER_S)
        except TimeoutError as error:
            raise Unfit(f"it does not answer within {ANSWER_S:.0f} s") from error
        if not line:
            raise Unfit("its process ended")
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            raise Unfit(answer["problem"], missing=answer["missing"])
        return answer
