"""A program that is run on every event."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import string
import subprocess
from dataclasses import fields
from typing import Any

from ..core.events import Event, rounded
from ..errors import UsageError
from .sink import Sink

VARIABLE_PREFIX = "NOISEWATCH_EVENT_"  # of the environment variables, one per field of the event


class Command(Sink):
    """Runs a program on every event, one at a time, without a shell; its output is discarded.

    Fields in braces, like {device}, are replaced within each argument. The same fields are set as environment
    variables, which a shell cannot mistake for code.
    """

    event_s = 10.0
    FIELDS = ("noise", "type", *(f.name for f in fields(Event)))

    def __init__(self, template: str) -> None:
        """Raises UsageError for a template that cannot be split or filled."""
        self.name = f"--exec {template!r}"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._arguments = shlex.split(template)
        except ValueError as error:
            raise UsageError(
                f"--exec cannot be split into words ({error}): {template!r}. Close its quotes."
            ) from error
        if not self._arguments:
            raise UsageError("--exec is empty; name a program and its arguments.")
        for argument in self._arguments:
            _validate(argument)

    def event(self, event: Event) -> None:
        self._process = subprocess.Popen(
            [_filled(argument, event) for argument in self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a process group, so that its children can be killed with it
            env={**os.environ, **_variables(event)},
        )
        try:
            code = self._process.wait(self.event_s)
        except subprocess.TimeoutExpired:
            self.abort()
            self._process.wait()
            raise ValueError(f"still running after {self.event_s:g} s, so it was killed") from None
        if code:
            raise ValueError(f"exit code {code}")

    def abort(self) -> None:
        if self._process is not None and self._process.poll() is None:
            _kill(self._process)


def _validate(argument: str) -> None:
    """Raises UsageError for a field that events do not have, and for a format that cannot be applied."""
    example = Event(
        "noise_end", 0.0, 0.0, id=1, end=0.0, duration=0.0, peak=0.0, mean=0.0, snr_db=0.0, level_dbfs=0.0,
        device="", model="", drops=0, input="", kind="music",
    )  # fmt: skip
    try:
        used = [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(argument) if name is not None]
        for name, _ in used:
            if name not in Command.FIELDS:
                raise UsageError(f"--exec uses {{{name}}}; allowed: {', '.join(Command.FIELDS)}.")
        if any("{" in spec for _, spec in used):
            raise ValueError("nested fields are not allowed")
        if any(len(digits) > 3 for _, spec in used for digits in re.findall(r"\d+", spec)):
            raise ValueError("the width or precision is above 999")
        _filled(argument, example)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"--exec has a field that cannot be filled ({error}): {argument!r}.") from error


def _values(event: Event) -> dict[str, Any]:
    return rounded({"noise": event.peak, "type": "event", **vars(event)})


def _variables(event: Event) -> dict[str, str]:
    """The fields as environment variables; empty if the event does not have one."""
    return {f"{VARIABLE_PREFIX}{k.upper()}": "" if v is None else str(v) for k, v in _values(event).items()}


def _filled(argument: str, event: Event) -> str:
    return argument.format(**{k: _Missing() if v is None else v for k, v in _values(event).items()})


class _Missing:
    """Formats as "-", whatever the format: stands for a field that an event does not have."""

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
