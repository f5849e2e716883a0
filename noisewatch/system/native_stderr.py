"""Libraries that talk: ALSA and JACK about devices, mpg123 about files that are no MP3.

Descriptor 2 belongs to the whole process: what other threads and the caller's own libraries write to it meanwhile
is lost, too. It is hidden only while PortAudio is asked for something or holds a microphone open, and while
libsndfile opens and reads what is MP3 or no known format; never for WAV, FLAC, Ogg and other files with a header.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_users = 0  # sections that are open, in any thread
_kept = -1  # the real stderr meanwhile


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """What compiled libraries write to file descriptor 2, past any logging, goes nowhere meanwhile.

    Sections may overlap, in any thread: the last one to end brings stderr back. Where Python has no stderr,
    descriptor 2 is closed or another file, and is left alone.
    """
    hidden = _hide()
    try:
        yield
    finally:
        if hidden:
            _show()


def _hide() -> bool:
    global _users, _kept
    with _lock:
        if _users == 0:
            if sys.stderr is None:
                return False
            with contextlib.suppress(OSError, ValueError):  # what it holds may have nowhere to go
                sys.stderr.flush()
            try:
                _kept = os.dup(2)
            except OSError:  # closed
                return False
            try:
                null = os.open(os.devnull, os.O_WRONLY)
            except OSError:  # no descriptor left
                os.close(_kept)
                return False
            os.dup2(null, 2)
            os.close(null)
        _users += 1
        return True


def _show() -> None:
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            os.dup2(_kept, 2)
            os.close(_kept)
