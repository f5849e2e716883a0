"""Every error that noisewatch raises on purpose, and the exit code that the command line gives it.

    NoisewatchError
    ├── UsageError        2  arguments that are unknown, out of range or contradictory
    │   └── ChannelError     a channel that the input does not have
    ├── ParityError       3  ONNX Runtime and torch disagree
    ├── ThresholdError    3  no threshold keeps false alarms within the budget
    ├── DeviceError       4  no usable live input
    ├── ModelError        5  a model that is missing or does not fit
    ├── InputError        6  a recording, stream or manifest that cannot be read or judged
    └── OutputError       7  a file or folder that cannot be written

A message says what is wrong, with the value; what is allowed; and what to do next. UsageError and InputError are
ValueErrors too.
"""

from numbers import Real
from typing import Any


def printable(text: str) -> str:
    """Text from outside the program with its control characters replaced, safe to print on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class NoisewatchError(Exception):
    """The base class: catch it for everything that noisewatch raises on purpose."""

    exit_code = 1


class UsageError(NoisewatchError, ValueError):
    """Arguments that are unknown, out of range or contradictory."""

    exit_code = 2


class ChannelError(UsageError):
    """A channel that the input does not have; other inputs of the same command may have it."""


class ParityError(NoisewatchError):
    """ONNX Runtime and torch disagree on the same windows."""

    exit_code = 3


class ThresholdError(NoisewatchError):
    """No threshold keeps the false alarms of a room within the budget."""

    exit_code = 3


class DeviceError(NoisewatchError):
    """No usable live input: no PortAudio, no device, an unknown name, no permission."""

    exit_code = 4


class ModelError(NoisewatchError):
    """A model that is missing, cannot be loaded or run, has no card, or needs another front end."""

    exit_code = 5


class InputError(NoisewatchError, ValueError):
    """Audio or a manifest that cannot be read or judged, or samples of a wrong type."""

    exit_code = 6


class OutputError(NoisewatchError):
    """A file or folder that cannot be written: permission, a full disk, a folder in the way."""

    exit_code = 7


def numeric(name: str, value: Any) -> Any:
    """The value if it is a number, including NaN. Raises UsageError, which names the option, if it is not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f"the {name} is {value!r}; allowed: a number.")
    return value
