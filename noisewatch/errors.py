"""The exceptions that noisewatch raises deliberately, and the exit codes they map to on the command line.

    NoisewatchError
    ├── UsageError        2  arguments that are unknown, out of range or contradictory
    │   └── ChannelError     a channel that the input does not have
    ├── ParityError       3  ONNX Runtime and torch disagree
    ├── ThresholdError    3  no threshold keeps false alarms within the budget
    ├── DeviceError       4  no usable live input
    │   └── LibraryError     no PortAudio
    ├── ModelError        5  a model that is missing or does not fit
    ├── InputError        6  a recording, stream or manifest that cannot be read or judged
    └── OutputError       7  a file or folder that cannot be written

A message states what is wrong, with the value; what is allowed; and what to do next. UsageError and InputError are
also ValueErrors.
"""

from numbers import Real
from typing import Any


def printable(text: str) -> str:
    """Replace the control characters in text from outside the program, so it is safe to print to a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class NoisewatchError(Exception):
    """Base class of every exception that noisewatch raises deliberately."""

    exit_code = 1


class UsageError(NoisewatchError, ValueError):
    """Arguments that are unknown, out of range or contradictory."""

    exit_code = 2


class ChannelError(UsageError):
    """A channel that the input does not have; other inputs of the same command may have it."""


class ParityError(NoisewatchError):
    """ONNX Runtime and torch give different results for the same windows."""

    exit_code = 3


class ThresholdError(NoisewatchError):
    """No threshold keeps the false alarms in a room within the budget."""

    exit_code = 3


class DeviceError(NoisewatchError):
    """No usable live input: no PortAudio, no device, an unknown name, no permission."""

    exit_code = 4


class LibraryError(DeviceError):
    """The PortAudio library is missing, so no device can appear."""


class ModelError(NoisewatchError):
    """A model that is missing, has no card, cannot be loaded or run, or needs a different front end."""

    exit_code = 5


class InputError(NoisewatchError, ValueError):
    """Audio or a manifest that cannot be read or judged, or samples of the wrong type."""

    exit_code = 6


class OutputError(NoisewatchError):
    """A file or folder that cannot be written: no permission, a full disk, a folder in the way."""

    exit_code = 7


def numeric(name: str, value: Any) -> Any:
    """Return the value if it is a number (NaN included). Raises UsageError, naming the option, if it is not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f"the {name} is {value!r}; allowed: a number.")
    return value
