"""The PortAudio library: loading it, waiting for it, and its errors. The only module that imports sounddevice.

PortAudio is not thread-safe, and its calls may hang in the sound system. One thread makes all that may hang. It
lists the devices when it starts: to see new ones it has to start anew, which closes all streams of the process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import ModuleType
from typing import Protocol, TypeVar

from ..errors import DeviceError, LibraryError
from ..system.native_stderr import quiet_stderr
from ..system.timeouts import counted_as_hung
from ..system.worker import Worker

OPEN_S = 3.0  # time limit for PortAudio to answer; some devices need two seconds to start

T = TypeVar("T")

_worker = Worker()


class Kept(Protocol):
    """Something with an open stream, which is closed and opened again when PortAudio starts anew."""

    def suspend(self) -> None:
        """Close the stream."""

    def resume(self) -> None:
        """Open it again. Raises nothing."""


_kept: list[Kept] = []  # used on the PortAudio thread only, as is the next
_starts = 0


@functools.cache
def portaudio() -> ModuleType:
    """Return the `sounddevice` module, imported on first use.

    The import starts PortAudio, which asks the sound server for its devices and may hang. Raises LibraryError if
    the library is missing, and DeviceError if it does not start or answer.
    """

    def load() -> ModuleType:
        import sounddevice

        return sounddevice  # type: ignore[no-any-return]

    try:
        return call_portaudio(load)
    except OSError as error:
        raise LibraryError(
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


def refresh() -> None:
    """List the devices anew: start PortAudio anew, and resume everything that is kept."""
    sd = portaudio()

    def restart() -> None:
        global _starts
        interrupted = [*_kept]
        for each in interrupted:
            each.suspend()
        try:
            with suppress(sd.PortAudioError):  # an earlier restart failed half-way
                sd._terminate()
            sd._initialize()
            _starts += 1
        finally:
            for each in interrupted:
                each.resume()

    try:
        call_portaudio(restart)
    except sd.PortAudioError as error:
        raise DeviceError(f"PortAudio does not start: {error_text(error)}.") from error


def keep(stream: Kept) -> None:
    """Resume this when PortAudio starts anew. Call it on the PortAudio thread, like the next three."""
    _kept.append(stream)


def leave(stream: Kept) -> None:
    """No longer resume this."""
    with suppress(ValueError):
        _kept.remove(stream)


def kept() -> int:
    """How many streams would be interrupted if PortAudio started anew."""
    return len(_kept)


def starts() -> int:
    """How often PortAudio has started anew so far."""
    return _starts


def submit(call: Callable[[], T]) -> Future[T]:
    """Have the PortAudio thread make a call. A `call_portaudio` within it runs at once."""

    def quiet() -> T:
        with counted_as_hung(), quiet_stderr():
            return call()

    return _worker.submit(quiet)


def abandon(future: Future[T], undo: Callable[[T], object]) -> None:
    """Give up a call that was submitted. If it is being made or was made, `undo` is called with its result."""
    if not future.cancel():
        future.add_done_callback(lambda done: None if done.exception() else undo(done.result()))


def call_portaudio(call: Callable[[], T], undo: Callable[[T], object] = lambda result: None) -> T:
    """Make a call into PortAudio and return its result; wait at most `OPEN_S`.

    undo: called with a result that comes too late. Raises DeviceError if it takes longer.
    """
    if _worker.current:
        return call()
    future = submit(call)
    try:
        return future.result(OPEN_S)
    except BaseException as error:
        if isinstance(error, TimeoutError) and future.done():
            return future.result()  # just in time, or its own error
        if not future.done():
            abandon(future, undo)
            if isinstance(error, TimeoutError):
                raise DeviceError(
                    f"the sound system does not answer: waited {OPEN_S:g} s. Restart its server (`systemctl "
                    "--user restart pipewire` or `pulseaudio -k` on Linux), or plug the device in again. "
                    "Recordings, pipes and `noisewatch listen demo` work without it."
                ) from None
        raise


def error_text(error: Exception) -> str:
    """PortAudio's message in an exception, without the prefix that sounddevice adds."""
    text = str(error.args[0]) if error.args else str(error)
    return text.rpartition(":")[2].strip(" .") or text
