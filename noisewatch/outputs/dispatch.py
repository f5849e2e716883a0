"""What a noise sets off beside the meter: log, table, labels, a command, a clip. None of them can hold it up."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import queue
import re
import shlex
import stat
import string
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.signal import Samples
from ..core.events import VARIABLES, Event, label_line, rounded, utc
from ..errors import OutputError, UsageError, printable
from ..system.files import Rows, abandoned, begun

QUEUE = 256  # events and blocks of audio that may wait for a sink
COMMAND_S = 10.0  # that a command may take
CLOSE_S = 0.7  # more than that, which sinks have to finish when the session ends; alone, for one that is stuck
OPEN_S = 1.0  # that a sink may take to open before the session begins without waiting
TAIL_S = 0.5  # of a clip, after the noise


@dataclass
class About:
    """What sinks know of the session that begins."""

    device: str  # or recording
    sample_rate: int  # of the audio that `Sink.audio` is given; a pipe may tell it late
    live: bool
    look_back_s: float  # of audio kept for a clip: a noise is called over that long after it ended
    began: datetime


class Sink:
    """Where events go. Runs on a thread of its own, may block, and may raise anything."""

    name: str
    wants_audio = False
    runs_commands = False  # each of which may take COMMAND_S

    def open(self, about: About) -> None:
        """The session begins: what cannot be written is said now. Raises OSError."""

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
        self._ready = threading.Event()
        self._unopened: Exception | None = None
        self._queue: queue.Queue[Any] = queue.Queue(QUEUE)
        self._moved = 0.0  # when it last took something, monotonic
        self._done = threading.Event()  # Thread.join forgets a thread when a signal interrupts it
        threading.Thread(target=self._work, daemon=True).start()

    def open(self, about: About) -> None:
        """Begin. Raises OutputError where the sink cannot write; one that takes long about it has time."""
        self._queue.put(about)
        self._ready.wait(OPEN_S)
        if self._unopened is not None:
            raise OutputError(f"{self.sink.name} cannot be written: {_reason(self._unopened)}. Name another place.")

    def put(self, item: Event | tuple[int, Samples]) -> None:
        """Hand on an event, or samples and their place; blocks for patience_s at most, and once only."""
        try:
            self._queue.put(item, block=self._patience_s > 0, timeout=self._patience_s)
        except queue.Full:
            self._patience_s = 0.0
            self._failed(isinstance(item, Event), "it is too slow")

    def finish(self, began: float) -> None:
        """Nothing more comes; began: when the session ended, on the monotonic clock."""
        for left in self._left(began):
            with contextlib.suppress(queue.Full):
                return self._queue.put(None, timeout=left)

    def join(self, began: float) -> None:
        """Let it finish what it has, as long as it gets on and there is time, then make it stop."""
        if not (self._done.is_set() or any(map(self._done.wait, self._left(began)))):
            waiting = sum(isinstance(item, Event) for item in list(self._queue.queue))
            self.lost += waiting
            self._failed(True, "it does not end")
            self.sink.abort()

    def _left(self, began: float) -> Iterator[float]:
        """How long it may be waited for, again and again while it gets on."""
        stuck_s = CLOSE_S + (COMMAND_S if self.sink.runs_commands else 0.0)
        end = began + COMMAND_S + CLOSE_S
        while (left := min(end, max(began, self._moved) + stuck_s) - time.monotonic()) > 0:
            yield left

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            self._try(item)
            self._moved = time.monotonic()
        self._try(None)
        self._done.set()

    def _try(self, item: About | Event | tuple[int, Samples] | None) -> None:
        try:
            if item is None:
                self.sink.close()
            elif isinstance(item, About):
                self.sink.open(item)
            elif isinstance(item, Event):
                self.sink.event(item)
            else:
                self.sink.audio(*item)
        except Exception as error:  # a sink may fail as it likes
            if isinstance(item, About):
                self._unopened = error
            else:
                self._failed(item is not None, _reason(error))  # samples fail while a clip is being written
        if isinstance(item, About):
            self._ready.set()

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
    """Lines at the end of a file, each on its way to the disk before the next.

    A file that was renamed or removed meanwhile, as log rotation does, is begun anew under its name.
    """

    def __init__(self, what: str, path: Path) -> None:
        self.name = f"{what} {path}"
        self._path = path
        self._file: io.FileIO | None = None
        self._torn = False  # the last line is not whole
        self._about: About | None = None

    def open(self, about: About) -> None:
        self._about = about
        self._reopen()
        assert self._file is not None
        self._file.write(b"")  # which /dev/full refuses
        if _full(self._file.fileno()):  # a file takes the first bytes with its first event
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def heading(self, about: About, *, empty: bool, again: bool) -> str:
        """The lines to begin with; empty: the file is; again: it was begun anew in the midst of a session."""
        return ""

    def write(self, line: str) -> None:
        """A line with its newline. Raises OSError."""
        if self._file is None or self._moved(self._file):
            self._reopen()
        self._put(line)

    def _moved(self, file: io.FileIO) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _reopen(self) -> None:
        again = self._file is not None
        self.close()
        self._file = None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        last = b""
        if self._path.is_file() and self._path.stat().st_size:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                last = file.read()
        self._file = open(self._path, "ab", buffering=0, opener=_opened)  # noqa: SIM115
        self._torn = last not in (b"", b"\n")  # something was killed meanwhile
        if self._about is not None and (lines := self.heading(self._about, empty=not last, again=again)):
            self._put(lines)

    def _put(self, text: str) -> None:
        assert self._file is not None
        data = ("\n" if self._torn else "").encode() + text.encode(errors="surrogateescape")
        written = self._file.write(data)
        self._torn = written != len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _opened(path: str, flags: int) -> int:
    """A file to write to; a named pipe that nobody reads is refused, and not waited for. Raises OSError."""
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "nobody reads this pipe") from error
        raise
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(descriptor, True)
    return descriptor


def _full(descriptor: int) -> bool:
    """Whether the disk of an open file has no room for this user."""
    if not hasattr(os, "fstatvfs") or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    disk = os.fstatvfs(descriptor)
    return disk.f_blocks > 0 and not (disk.f_bavail if os.geteuid() else disk.f_bfree)


class Log(_Appended):
    """Every event as a JSON line."""

    def __init__(self, path: Path) -> None:
        super().__init__("the log", path)

    def event(self, event: Event) -> None:
        self.write(event.json() + "\n")


class Table(_Appended):
    """Every noise that ended as a row of csv."""

    FIELDS = (
        "utc", "device", "model", "id", "onset", "end", "duration", "peak", "mean", "snr_db", "level_dbfs", "drops",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        super().__init__("the table", path)

    def heading(self, about: About, *, empty: bool, again: bool) -> str:
        return ",".join(self.FIELDS) + "\n" if empty else ""

    def event(self, event: Event) -> None:
        if event.event == "noise_end":
            text = io.StringIO()
            Rows(text, self.FIELDS).row(json.loads(event.json()))
            self.write(text.getvalue())


class Labels(_Appended):
    """Every noise that ended as a line of an Audacity label track, and a label where each session begins.

    Times are seconds since the first session of the file began. A later one lies where the clock says if it is
    live, and a recording follows what is there; neither begins before the last noise has ended.
    """

    def __init__(self, path: Path) -> None:
        super().__init__("the labels", path)
        self._offset = 0.0

    def heading(self, about: About, *, empty: bool, again: bool) -> str:
        track = "" if empty or again else self._path.read_text(encoding="utf-8", errors="replace")
        self._offset = _next_session(track, about)
        at = f"{self._offset:.3f}"
        return f"{at}\t{at}\tsession {utc(about.began)} {printable(about.device)}\n"

    def event(self, event: Event) -> None:
        if event.event == "noise_end":
            start, end = (self._offset + t for t in (event.onset, event.end or event.time))
            self.write(label_line(start, end, event.mean or 0.0, event.snr_db))


def _next_session(track: str, about: About) -> float:
    """Where a session begins on a track of labels, s: 0 on an empty one."""
    last, first = 0.0, None
    for line in track.splitlines():
        match = re.fullmatch(r"([\d.]+)\t([\d.]+)\t(.*)", line)
        if match is None:
            continue
        with contextlib.suppress(ValueError):
            last = max(last, float(match[2]))
            if first is None and match[3].startswith("session "):
                first = datetime.fromisoformat(match[3].split()[1]) - timedelta(seconds=float(match[1]))
    since = (about.began - first).total_seconds() if first is not None and about.live else 0.0
    return max(last, since)


class Command(Sink):
    """A program for every event, one at a time, without a shell; its arguments are filled from the event."""

    runs_commands = True
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
                if any(len(digits) > 3 for _, spec in asked for digits in re.findall(r"\d+", spec or "")):
                    raise ValueError("it is wider than 999")
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
            env={**os.environ, **_variables(event)},
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


def _values(event: Event) -> dict[str, Any]:
    return rounded({"noise": event.peak, "type": "event", **vars(event)})


def _variables(event: Event) -> dict[str, str]:
    """The fields for a shell, which must not read them as its own words; empty where an event has none."""
    return {f"{VARIABLES}{k.upper()}": "" if v is None else str(v) for k, v in _values(event).items()}


def _filled(word: str, event: Event) -> str:
    values = _values(event)
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
    """Each noise as a FLAC of its own, from `pre_roll` seconds before it to half a second after.

    Only this user can read them: they hold the voices of the room. FLAC has no samples above full scale, which
    floats can have: a clip that does is a WAV of floats instead, as the detector heard it.
    """

    wants_audio = True
    PART = r"\.\d{4}-\d\d-\d\d_\d{6}_noise\d+_\d+\.(flac|wav)"

    def __init__(self, folder: Path, pre_roll: float) -> None:
        """pre_roll: s; raises UsageError out of range."""
        if not 0 <= pre_roll <= 60:
            raise UsageError(f"--pre-roll is {pre_roll} s; allowed: 0 to 60.")
        self.name = f"the clips in {folder}"
        self._folder, self._pre_roll = folder, pre_roll
        self._about: About | None = None
        self._blocks: deque[tuple[int, Samples]] = deque()  # first sample of each, and its samples
        self._clip: _Clip | None = None
        self._written = 0  # samples of the session up to here are in the clip, or never will be

    def open(self, about: About) -> None:
        self._about = about
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for part in abandoned(self._folder, self.PART):
            _finish_abandoned(part)
        _Clip(self._path(0), self._rate or 16_000).probe()

    def _path(self, number: int) -> Path:
        return self._folder / f"{datetime.now():%Y-%m-%d_%H%M%S}_noise{number}_{os.getpid()}.flac"

    @property
    def _rate(self) -> int:
        return self._about.sample_rate if self._about else 0

    def audio(self, start: int, block: Samples) -> None:
        self._blocks.append((start, block))
        # The block was not judged yet: whatever ends in it is called over up to its length later.
        kept = start - round((self._about.look_back_s if self._about else 0.0) * self._rate)
        self._write(kept)
        kept -= round(self._pre_roll * self._rate)
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) < kept:
            self._blocks.popleft()

    def event(self, event: Event) -> None:
        if event.event == "noise_start" and self._clip is None:
            self._written = max(0, round((event.onset - self._pre_roll) * self._rate))
            self._clip = _Clip(self._path(event.id or 0), self._rate)
        elif event.event == "noise_end" and self._clip is not None:
            self._write(math.ceil(((event.end or event.time) + TAIL_S) * self._rate))
            self.close()

    def _write(self, until: int) -> None:
        if self._clip is None:
            return
        try:
            for start, block in self._blocks:
                a, b = max(self._written - start, 0), min(until - start, len(block))
                if a < b:
                    self._clip.write(block[a:b])
                    self._written = start + b
        except Exception:
            clip, self._clip = self._clip, None
            clip.drop()
            raise

    def close(self) -> None:
        if self._clip is not None:
            clip, self._clip = self._clip, None
            try:
                clip.finish()
            except Exception:
                clip.drop()
                raise


class _Clip:
    """A sound file that gets its name when it is complete. Raises OSError with the reason of the disk."""

    def __init__(self, path: Path, rate: int) -> None:
        self._path, self._rate = path, rate
        self._begin()

    def _begin(self) -> None:
        import soundfile

        handle, self._part = begun(self._path.parent, f".{self._path.name}")
        self._disk = _Disk(os.fdopen(handle, "w+b", buffering=0))
        form, subtype = ("FLAC", "PCM_16") if self._path.suffix == ".flac" else ("WAV", "FLOAT")
        try:
            with self._disk.blamed():
                self._file = soundfile.SoundFile(self._disk, "w", self._rate, 1, subtype, format=form)
        except Exception:
            self.drop()
            raise

    def probe(self) -> None:
        """Whether it can be written at all; leaves nothing, not even a clip when it is killed."""
        try:
            with self._disk.blamed():
                self._disk.write(bytes(4096))
        finally:
            self.drop()

    def write(self, samples: Samples) -> None:
        if self._path.suffix == ".flac" and np.abs(samples).max(initial=0.0) > 1:
            self._to_floats()
        with self._disk.blamed():
            self._file.write(samples)

    def _to_floats(self) -> None:
        """Begin anew as a WAV with what there is so far."""
        import soundfile

        before, part = self._disk, self._part
        with before.blamed():
            self._file.close()
        self._path = self._path.with_suffix(".wav")
        try:
            self._begin()
            if before.seek(0, os.SEEK_END):  # a FLAC without samples is empty
                before.seek(0)
                with soundfile.SoundFile(before) as heard, self._disk.blamed():
                    for block in heard.blocks(1 << 16, dtype="float32"):
                        self._file.write(block)
        finally:
            before.close()
            part.unlink(missing_ok=True)

    def finish(self) -> None:
        with self._disk.blamed():
            self._file.close()
        if sys.platform == "win32":  # where an open file cannot be renamed
            self._disk.close()
        self._part.replace(self._path)
        self._disk.close()

    def drop(self) -> None:
        """Leave nothing."""
        with contextlib.suppress(Exception):
            self._file.close()
        self._disk.close()
        self._part.unlink(missing_ok=True)


class _Disk:
    """A file for libsndfile, which keeps why it could not be written; libsndfile itself would not tell."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek, self.tell, self.read, self.close = file.seek, file.tell, file.read, file.close
        self._why: OSError | None = None

    def write(self, data: bytes) -> int:
        done, data = 0, bytes(data)
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError as error:  # nothing may be raised through libsndfile
            self._why = error
        return done

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What fails inside is raised as the disk put it."""
        try:
            yield
        except Exception as error:  # soundfile raises what it likes
            raise self._why or OSError(str(error)) from error
        if self._why is not None:
            raise self._why


def _finish_abandoned(part: Path) -> None:
    """A clip whose process was killed, as far as it was written; nothing where nothing of it can be read.

    Where the copy cannot be written the part stays, for a session that has room.
    """
    import soundfile

    try:
        with part.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as heard:
            _copy(heard, part.with_name(part.name[1:].rsplit(".", 2)[0]))
    except soundfile.SoundFileError:
        pass
    except OSError:
        return
    with contextlib.suppress(OSError):
        part.unlink()


def _copy(heard: Any, path: Path) -> None:
    """A clip of what can be read, unless there is none or it was copied before. Raises OSError."""
    import soundfile

    clip, count = _Clip(path, heard.samplerate), 0
    try:
        with contextlib.suppress(soundfile.SoundFileError):  # where it was cut off
            while len(block := heard.read(1024, dtype="float32")):
                clip.write(block)
                count += len(block)
        if count and not path.exists():
            clip.finish()
        else:
            clip.drop()
    except Exception:
        clip.drop()
        raise


class Reactions:
    """The outlets of a session."""

    def __init__(self, sinks: Sequence[Sink], say: Callable[[str], None], about: About) -> None:
        """say: is told of each sink that fails, once. A recording waits for slow sinks, a live input never does.

        Raises OutputError for a sink that cannot write.
        """
        self._outlets = [Outlet(sink, say, 0.0 if about.live else 2 * COMMAND_S) for sink in sinks]
        for outlet in self._outlets:
            outlet.open(about)
        self._heard = 0  # samples

    def event(self, event: Event) -> None:
        """To every sink, with the time of day: what they keep outlives the session, whatever it heard."""
        event = event if event.utc else replace(event, utc=utc())
        for outlet in self._outlets:
            outlet.put(event)

    def audio(self, block: Samples) -> None:
        """Mono samples at the source's rate, to those who keep them."""
        for outlet in self._outlets:
            if outlet.sink.wants_audio:
                outlet.put((self._heard, block))
        self._heard += len(block)

    def lost(self, samples: int) -> None:
        """So many are missing before the audio that comes next."""
        self._heard += samples

    def close(self) -> list[str]:
        """End all of them; returns a sentence for each that lost events."""
        began = time.monotonic()
        for outlet in self._outlets:
            outlet.finish(began)
        for outlet in self._outlets:
            outlet.join(began)
        return [f"{o.sink.name}: {o.lost} event{'' if o.lost == 1 else 's'} lost" for o in self._outlets if o.lost]
