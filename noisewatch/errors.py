"""Every error that noisewatch raises on purpose, with the exit code of the command line.

    NoisewatchError
    ├── UsageError        2  arguments that contradict each other or name nothing
    │   └── ChannelError     a channel that the input does not have
    ├── ParityError       3  ONNX Runtime and torch disagree
    ├── DeviceError       4  no usable live input
    ├── ModelError        5  a model that is missing or does not fit
    ├── InputError        6  a recording, stream or manifest that cannot be read or judged
    └── OutputError       7  a place that cannot be written

A message says what was wrong, with the value; what is allowed; what to do next.
"""

from numbers import Real
from typing import Any


def printable(text: str) -> str:
    """A name or a message from outside without what would steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class NoisewatchError(Exception):
    """The base of the tree."""

    exit_code = 1


class UsageError(NoisewatchError, ValueError):
    """Arguments that contradict each other or name nothing."""

    exit_code = 2


class ChannelError(UsageError):
    """A channel that an input does not have; another one may have it."""


class ParityError(NoisewatchError):
    """ONNX Runtime and torch disagree on the same windows."""

    exit_code = 3


class DeviceError(NoisewatchError):
    """No usable live input: no PortAudio, no device, an unknown name, no permission."""

    exit_code = 4


class ModelError(NoisewatchError):
    """A model file that is missing, is no ONNX, has no card, or has another front end."""

    exit_code = 5


class InputError(NoisewatchError, ValueError):
    """A recording, stream or manifest that cannot be read or judged."""

    exit_code = 6


class OutputError(NoisewatchError):
    """A place that cannot be written: permission, a full disk, a folder in the way."""

    exit_code = 7


def numeric(name: str, value: Any) -> Any:
    """The value, if it is a number, NaN among them; raises UsageError for anything else that was passed as one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f"the {name} is {value!r}; allowed: a number.")
    return value
