"""The PortAudio library: loading it, waiting for it, and its errors. The only module that imports sounddevice."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from ..errors import DeviceError
from ..system.native_stderr import quiet_stderr
from ..system.timeouts import call_with_timeout

OPEN_S = 3.0  # time limit for PortAudio to answer; some devices need two seconds to start

T = TypeVar("T")


@functools.cache
def portaudio() -> ModuleType:
    """Return the `sounddevice` module, imported on first use.

    The import starts PortAudio, which asks the sound server for its devices and may hang. Raises DeviceError if
    the library is missing, does not start, or does not answer.
    """

    def load() -> ModuleType:
        import sounddevice

        return sounddevice  # type: ignore[no-any-return]

    try:
        return call_portaudio(load)
    except OSError as error:
        raise DeviceError(
            "the PortAudio library is missing, so no microphone can be opened. Install it: `apt install "
            "libportaudio2` (Debian, Ubuntu), `dnf install portaudio` (Fedora), `brew install portaudio` (macOS). "
            "Recordings, pipes and `noisewatch listen demo` work without it."
        ) from error
    except Exception as error:
        if type(error).__name__ != "PortAudioError":  # compared by name: importing the class is what failed
            raise
        raise DeviceError(
            f"PortAudio does not start: {error_text(error)}. Recordings, pipes and `noisewatch listen demo` "
            "work without it."
        ) from error


def call_portaudio(call: Callable[[], T]) -> T:
    """Run a call into PortAudio and return its result. Raises DeviceError if it takes longer than `OPEN_S`."""
    try:
        with quiet_stderr():
            return call_with_timeout(call, OPEN_S)
    except TimeoutError:
        raise DeviceError(
            f"the sound system does not answer: waited {OPEN_S:g} s. Restart its server (`systemctl --user "
            "restart pipewire` or `pulseaudio -k` on Linux), or plug the device in again. Recordings, pipes and "
            "`noisewatch listen demo` work without it."
        ) from None


def error_text(error: Exception) -> str:
    """PortAudio's message in an exception, without the prefix that sounddevice adds."""
    text = str(error.args[0]) if error.args else str(error)
    return text.rpartition(":")[2].strip(" .") or text
