"""Silences compiled libraries that write to stderr: ALSA and JACK about devices, mpg123 about damaged files.

File descriptor 2 belongs to the whole process, so whatever other threads and the caller's own libraries write to it
in the meantime is lost too. It is hidden only while PortAudio is called or a microphone is open, and while
libsndfile reads an MP3 or an unknown format; never for WAV, FLAC, Ogg and other formats with a header.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_sections = 0  # open sections, over all threads
_saved = -1  # the descriptor of the real stderr while it is hidden


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what is written to file descriptor 2 within this block.

    Blocks may overlap, in any thread: the last one to end restores stderr. If Python has no stderr, descriptor 2 is
    closed or belongs to another file, and is not touched.
    """
    hidden = _hide()
    try:
        yield
    finally:
        if hidden:
            _restore()


def _hide() -> bool:
    global _sections, _saved
    with _lock:
        if _sections == 0:
            if sys.stderr is None:
                return False
            with contextlib.suppress(OSError, ValueError):  # stderr may be closed or full
                sys.stderr.flush()
            try:
                _saved = os.dup(2)
            except OSError:  # closed
                return False
            try:
                null = os.open(os.devnull, os.O_WRONLY)
            except OSError:  # too many open files
                os.close(_saved)
                return False
            os.dup2(null, 2)
            os.close(null)
        _sections += 1
        return True


def _restore() -> None:
    global _sections
    with _lock:
        _sections -= 1
        if _sections == 0:
            os.dup2(_saved, 2)
            os.close(_saved)
