"""Several inputs at once: each is judged on a thread of its own, and their items come in the order of arrival."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence

from ..core.events import Event, Reading
from ..errors import NoisewatchError
from ..inputs.source import TICK_S
from ..inputs.splitter import Stopped
from ..system.timeouts import counted_as_hung
from .calibrations import Notify
from .input_session import InputSession

WAITING = 256  # items that may wait for the caller; then the inputs wait, too
STOP_S = 2.0  # time that all inputs get to end when they are stopped; each needs that of a few decisions


class Merge:
    """The items of several input sessions, whose sources raise Stopped when they are stopped."""

    def __init__(self, inputs: Sequence[InputSession], stop_sources: Callable[[], None], notify: Notify) -> None:
        """notify: called with a sentence when one of them ends with an error while others go on."""
        self._inputs, self._stop_sources, self._notify = inputs, stop_sources, notify
        self._items: queue.SimpleQueue[Reading | Event | None] = queue.SimpleQueue()  # None: an input has ended
        self._room = threading.Semaphore(WAITING)
        self._running = 0  # inputs that have not ended
        self._stopped = False
        self._fault: BaseException | None = None  # of the program

    def __iter__(self) -> Generator[Reading | Event, None, None]:
        """Yield the items until all inputs have ended. Errors stay in the input sessions."""
        self._running = len(self._inputs)
        for each in self._inputs:
            threading.Thread(target=self._listen, args=(each,), daemon=True).start()
        while self._running and self._fault is None:
            if (item := self._next(TICK_S)) is not None:
                yield item
        if self._fault is not None:
            raise self._fault

    def stop(self) -> list[Reading | Event]:
        """End all inputs. Returns what was decided but not yet yielded, and the ends of noises that are on."""
        self._stopped = True
        self._stop_sources()
        rest, deadline = [], time.monotonic() + STOP_S
        while self._running and (left_s := deadline - time.monotonic()) > 0:
            if (item := self._next(left_s)) is not None:
                rest.append(item)
        return rest

    def _next(self, seconds: float) -> Reading | Event | None:
        """The next item; None if there is none within this time, s, or an input has ended."""
        try:
            item = self._items.get(timeout=seconds)
        except queue.Empty:
            return None
        if item is None:
            self._running -= 1
        else:
            self._room.release()
        return item

    def _listen(self, each: InputSession) -> None:
        with counted_as_hung():  # Python cannot end while a network runs
            self._run(each)

    def _run(self, each: InputSession) -> None:
        try:
            for item in each:
                self._put(item)
        except Stopped:
            for item in each.stop():
                self._put(item)
        except NoisewatchError as error:
            if self._running > 1:
                self._notify(f"{each.title} has ended: {error} The other inputs go on.")
        except BaseException as fault:  # raised again in the caller's thread
            self._fault = fault
        finally:
            self._items.put(None)

    def _put(self, item: Reading | Event) -> None:
        while not self._room.acquire(timeout=TICK_S) and not self._stopped:
            pass
        self._items.put(item)
