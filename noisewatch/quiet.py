"""Libraries that talk: ALSA and JACK about devices, mpg123 about files that are no MP3."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """What compiled libraries write to file descriptor 2, past any logging, goes nowhere meanwhile."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
