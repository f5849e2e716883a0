"""What a noise sets off beside the meter: log, table, labels, a command, a clip. None of them can hold it up."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import queue
import shlex
import string
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .events import Event, label_line, rounded
from .sinks import appended

QUEUE = 256  # events and blocks of audio that may wait for a sink
COMMAND_S = 10.0  # that a command may take
CLOSE_S = 1.0  # more than that, which sinks have to finish when the session ends
LOOK_BACK_S = 6.0  # audio kept for a clip: a noise is called over some 4 s after it ended
TAIL_S = 0.5  # of a clip, after the noise

Samples = NDArray[np.float32]


class Sink:
    """Where events go. Runs on a thread of its own, may block, and may raise anything."""

    name: str
    wants_audio = False

    def event(self, event: Event) -> None:
        """Take an event."""

    def audio(self, start: int, block: Samples) -> None:
        """Take mono samples at the source's rate; start: number of the first of them in the session."""

    def close(self) -> None:
        """The session is over."""

    def abort(self) -> None:
        """Give up what is being done: called from another thread, when there is no more time."""


class Outlet:
    """A sink behind a bounded queue: slow, dead or broken, it loses its own events and nothing else."""

    def __init__(self, sink: Sink, say: Callable[[str], None], patience_s: float) -> None:
        self.sink, self._say, self._patience_s = sink, say, patience_s
        self.lost = 0  # events that the sink did not take
        self._told = False
        self._queue: queue.Queue[Any] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, item: Event | tuple[int, Samples]) -> None:
        """Hand on an event, or samples and their place; blocks for patience_s at most, and once only."""
        try:
            self._queue.put(item, block=self._patience_s > 0, timeout=self._patience_s)
        except queue.Full:
            self._patience_s = 0.0
            self._failed(isinstance(item, Event), "it is too slow")

    def finish(self, deadline: float) -> None:
        """Nothing more comes; deadline: on the monotonic clock."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=max(0.01, deadline - time.monotonic()))

    def join(self, deadline: float) -> None:
        """Let it finish what it has until the deadline, then make it stop."""
        self._thread.join(max(0.01, deadline - time.monotonic()))
        if self._thread.is_alive():
            waiting = sum(isinstance(item, Event) for item in list(self._queue.queue))
            self.lost += waiting
            self._failed(True, "it does not end")
            self.sink.abort()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            self._try(item)
        self._try(None)

    def _try(self, item: Event | tuple[int, Samples] | None) -> None:
        try:
            if item is None:
                self.sink.close()
            elif isinstance(item, Event):
                self.sink.event(item)
            else:
                self.sink.audio(*item)
        except Exception as error:  # a sink may fail as it likes
            self._failed(item is not None, _reason(error))  # samples fail while a clip is being written

    def _failed(self, event: bool, why: str) -> None:
        self.lost += event
        if not self._told:
            self._told = True
            self._say(f"{self.sink.name} failed ({why}). Listening goes on; what is lost is counted.")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


class _Appended(Sink):
    """Lines at the end of a file, each on its way to the disk before the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def write(self, line: str, header: str = "") -> None:
        """A line with its newline; a file that was empty gets the header first."""
        if self._file is None:
            self._file = appended(self._path, header)
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Log(_Appended):
    """Every event as a JSON line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = f"the log {path}"

    def event(self, event: Event) -> None:
        self.write(json.dumps(json.loads(event.json()) | {"utc": _utc()}) + "\n")


class Table(_Appended):
    """Every noise that ended as a row of csv."""

    FIELDS = (
        "utc", "device", "model", "id", "onset", "end", "duration", "peak", "mean", "snr_db", "level_dbfs", "drops",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = f"the table {path}"

    def event(self, event: Event) -> None:
        if event.event == "noise_end":
            text = io.StringIO()
            fields = json.loads(event.json()) | {"utc": _utc()}
            csv.DictWriter(text, self.FIELDS, extrasaction="ignore", lineterminator="\n").writerow(fields)
            self.write(text.getvalue(), header=",".join(self.FIELDS) + "\n")


class Labels(_Appended):
    """Every noise that ended as a line of an Audacity label track; seconds since the session began."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = f"the labels {path}"

    def event(self, event: Event) -> None:
        if event.event == "noise_end":
            self.write(label_line(event.onset, event.end or event.time, event.mean or 0.0, event.snr_db))


class Command(Sink):
    """A program for every event, one at a time, without a shell; its arguments are filled from the event."""

    FIELDS = ("noise", "type", *(f.name for f in fields(Event)))

    def __init__(self, template: str) -> None:
        """Raises UsageError for what is no command, or asks for fields that events do not have."""
        self.name = f"--exec {template!r}"
        self._running: subprocess.Popen[bytes] | None = None
        try:
            self._words = shlex.split(template)
        except ValueError as error:
            raise UsageError(
                f"--exec cannot be split into words ({error}): {template!r}. Close its quotes."
            ) from error
        if not self._words:
            raise UsageError("--exec is empty; name a program and its arguments.")
        every = Event("noise_end", 0.0, 0.0, 1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, "", "", 0)
        for word in self._words:
            try:
                asked = [(name, spec) for _, name, spec, _ in string.Formatter().parse(word) if name is not None]
                unknown = [name for name, _ in asked if name not in self.FIELDS]
                if unknown:
                    raise UsageError(f"--exec asks for {{{unknown[0]}}}; there are: {', '.join(self.FIELDS)}.")
                if any("{" in (spec or "") for _, spec in asked):
                    raise ValueError("one field within another")
                _filled(word, every)
            except UsageError:
                raise
            except ValueError as error:
                raise UsageError(f"--exec has a field that cannot be filled ({error}): {word!r}.") from error

    def event(self, event: Event) -> None:
        # Its own session, so that a time limit ends all that it started.
        self._running = subprocess.Popen(
            [_filled(word, event) for word in self._words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = self._running.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            self.abort()
            self._running.wait()
            raise ValueError(f"it was still running after {COMMAND_S:g} s and was stopped") from None
        if code:
            raise ValueError(f"it ended with {code}")

    def abort(self) -> None:
        if self._running is not None and self._running.poll() is None:
            _kill(self._running)


def _filled(word: str, event: Event) -> str:
    values = rounded({"noise": event.peak, "type": "event", **vars(event)})
    return word.format(**{k: _Unknown() if v is None else v for k, v in values.items()})


class _Unknown:
    """Stands in an argument for a number that an event does not have."""

    def __format__(self, spec: str) -> str:
        return "-"

    def __repr__(self) -> str:
        return "-"


def _kill(process: subprocess.Popen[bytes]) -> None:
    import signal

    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


class Clips(Sink):
    """Each noise as a FLAC of its own, from `pre_roll` seconds before it to half a second after."""

    wants_audio = True

    def __init__(self, folder: Path, pre_roll: float) -> None:
        """pre_roll: s; raises UsageError out of range. sample_rate has to be set before there is audio."""
        if not 0 <= pre_roll <= 60:
            raise UsageError(f"--pre-roll is {pre_roll} s; allowed: 0 to 60.")
        self.name = f"the clips in {folder}"
        self.sample_rate = 0
        self._folder, self._pre_roll = folder, pre_roll
        self._blocks: deque[tuple[int, Samples]] = deque()  # first sample of each, and its samples
        self._file: Any = None
        self._written = 0  # samples of the session up to here are in the file, or never will be
        self._path = folder

    def audio(self, start: int, block: Samples) -> None:
        self._blocks.append((start, block))
        kept = start + len(block) - round(LOOK_BACK_S * self.sample_rate)
        if self._file is not None:
            self._write(kept)
        kept -= round(self._pre_roll * self.sample_rate)
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) < kept:
            self._blocks.popleft()

    def event(self, event: Event) -> None:
        import soundfile

        if event.event == "noise_start" and self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / f"{datetime.now():%Y-%m-%d_%H%M%S}_noise{event.id}_{os.getpid()}.flac"
            self._written = max(0, round((event.onset - self._pre_roll) * self.sample_rate))
            part = self._path.with_name(f".{self._path.name}.part")
            try:
                self._file = soundfile.SoundFile(part, "w", self.sample_rate, 1, "PCM_16", format="FLAC")
            except soundfile.SoundFileError as error:
                raise OSError(None, f"cannot write {part}: {error}") from error
        elif event.event == "noise_end" and self._file is not None:
            self._write(math.ceil(((event.end or event.time) + TAIL_S) * self.sample_rate))
            self.close()

    def _write(self, until: int) -> None:
        try:
            for start, block in self._blocks:
                a, b = max(self._written - start, 0), min(until - start, len(block))
                if a < b:
                    self._file.write(block[a:b].clip(-1, 1))
                    self._written = start + b
        except Exception as error:  # soundfile raises what it likes on a full disk
            part = Path(self._file.name)
            with contextlib.suppress(Exception):
                self._file.close()
            self._file = None
            part.unlink(missing_ok=True)
            raise OSError(f"cannot write {part.name}: {_reason(error) or 'no space'}") from error

    def close(self) -> None:
        if self._file is not None:
            part = Path(self._file.name)
            self._file.close()
            self._file = None
            part.replace(self._path)


class Reactions:
    """The outlets of a session."""

    def __init__(self, sinks: Sequence[Sink], say: Callable[[str], None], *, live: bool) -> None:
        """say: is told of each sink that fails, once. A recording waits for slow sinks, a live input never does."""
        self._outlets = [Outlet(sink, say, 0.0 if live else 2 * COMMAND_S) for sink in sinks]
        self._heard = 0  # samples

    def event(self, event: Event) -> None:
        """To every sink."""
        for outlet in self._outlets:
            outlet.put(event)

    def audio(self, block: Samples) -> None:
        """Mono samples at the source's rate, to those who keep them."""
        for outlet in self._outlets:
            if outlet.sink.wants_audio:
                outlet.put((self._heard, block))
        self._heard += len(block)

    def close(self) -> list[str]:
        """End all of them; returns a sentence for each that lost events."""
        deadline = time.monotonic() + COMMAND_S + CLOSE_S
        for outlet in self._outlets:
            outlet.finish(deadline)
        for outlet in self._outlets:
            outlet.join(deadline)
        return [f"{o.sink.name}: {o.lost} event{'' if o.lost == 1 else 's'} lost" for o in self._outlets if o.lost]


def _utc() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
