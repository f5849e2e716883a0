"""Which device is the system's default input, while another one is listened to."""

from __future__ import annotations

import time
from concurrent.futures import Future

from ..errors import DeviceError
from .devices import Device, default_of
from .lookout import LOOK_S, Lookout

DEFAULT_S = 5.0  # between two looks


class DefaultDevice:
    """Which device is the default, as of a few seconds ago."""

    def __init__(self) -> None:
        self._lookout = Lookout()
        self._looking: Future[list[Device]] | None = None
        self._asked = time.monotonic()

    def moved(self, device: Device) -> bool:
        """Whether another device has become the default. Does not wait."""
        now = time.monotonic()
        if self._looking is None:
            if now - self._asked >= DEFAULT_S:
                self._looking, self._asked = self._lookout.look(), now
            return False
        if not self._looking.done():
            if now - self._asked >= LOOK_S:
                self._lookout.replace()
            return False
        looked, self._looking = self._looking, None
        try:
            newest = default_of(looked.result())
        except DeviceError:
            return False
        return (newest.name, newest.api) != (device.name, device.api)

    def close(self) -> None:
        """Stop watching."""
        self._lookout.close()

    def forget(self) -> None:
        """Forget what was seen: the device was opened anew."""
        self._looking, self._asked = None, time.monotonic()
