"""Worker processes that end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import Connection


def exit_with_parent() -> None:
    """End this worker process as soon as its parent has ended: a parent that was killed cannot stop its workers."""
    threading.Thread(target=_join_parent, daemon=True).start()


def exit_on(message: Connection) -> None:
    """End this worker process as soon as the pipe holds a message, which several workers may share.

    An Event would not do: it waits for every waiting process to wake up, and so forever for one that has died.
    """
    threading.Thread(target=_await, args=(message,), daemon=True).start()


def _join_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _await(message: Connection) -> None:
    message.poll(None)  # does not consume it
    os._exit(0)
