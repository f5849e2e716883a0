"""A thread that makes all calls into a library, one after another."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """A daemon thread for a library that is not thread-safe, and whose calls may never return.

    Calls are made in the order in which they are submitted. One that does not return holds up the later ones.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    @property
    def current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue a call; returns its future result."""
        if self._process != os.getpid():  # a fork inherits no thread
            self._begin()
        future: Future[T] = Future()
        self._calls.put((future, call))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        return future

    def _run(self) -> None:
        while True:
            self._make(*self._calls.get())

    def _make(self, future: Future[Any], call: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except BaseException as error:  # raised again where the result is asked for
            future.set_exception(error)
        else:
            future.set_result(result)
