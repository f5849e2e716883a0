"""A microphone that is opened again whenever it has gone away or stopped sending."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator

import numpy as np

from ..audio.signal import Samples
from ..errors import DeviceError, LibraryError, printable
from .default_device import DefaultDevice
from .devices import Device, default_of, find_again, find_among, find_device, list_devices
from .lookout import LOOK_S, Lookout
from .microphone import Microphone
from .portaudio import abandon, kept, refresh, starts, submit
from .source import TICK_S, Channel, Gone, Lost
from .ticks import Ticks

STALLED_S = 10.0  # without samples, after which the device is opened again
PAUSES_S = (0.25, 2.0)  # before an attempt: the first, the longest
GROWTH = 1.4  # of a pause over the one before it
JITTER = 0.2  # of a pause, so that several programs do not come back at the same moment
STUCK_S = 60.0  # after which our own PortAudio counts as stuck, and the session ends
STORM = 10  # more reopenings than this within STORM_S ...
STORM_S = 60.0
STORM_PAUSE_S = 10.0  # ... make all pauses as long as this


class Reconnecting:
    """A microphone as a source that does not end.

    If the device goes away or sends nothing for `STALLED_S`, the devices are listed anew and the same device is
    opened as soon as it is among them. Audio before and after is separated by `Lost`.
    """

    live = True
    pauses = False
    notes: tuple[str, ...] = ()

    def __init__(
        self, microphone: Microphone, notify: Callable[[str], None], *, follow_default: bool = False
    ) -> None:
        """microphone: an open one; `close` closes it, or the one that is open by then.

        notify: called with a sentence when it moves to another device, and about one that keeps failing.
        follow_default: move when another device becomes the system's default input.
        """
        self._microphone = microphone
        self._notify = notify
        self._default = DefaultDevice() if follow_default else None
        self._drops = 0  # of the earlier microphones, and the interruptions between them
        self._storm = False
        self._problem = ""  # why it could not be opened the last time
        self._reopened: deque[float] = deque()  # when, within the last STORM_S (s, monotonic clock)
        self._listed = 0  # starts of PortAudio when the device went away: its list is older
        self._failures = 0  # attempts to open the device since then

    @property
    def name(self) -> str:
        """Name of the device."""
        return self._microphone.name

    @property
    def device(self) -> Device:
        """The device as it was listed when it was opened last."""
        return self._microphone.device

    @property
    def sample_rate(self) -> int:
        """Native rate of the device, Hz; another one may follow when it is opened again."""
        return self._microphone.sample_rate

    @property
    def late_s(self) -> float:
        """How long the latest block had waited, s."""
        return self._microphone.late_s

    @property
    def drops(self) -> int:
        """How many times audio was lost."""
        return self._drops + self._microphone.drops

    def discard(self) -> None:
        """Begin now: forget the audio that was captured since the device was opened."""
        self._microphone.discard()

    def close(self) -> None:
        """Close the device."""
        if self._default is not None:
            self._default.close()
        self._microphone.close()

    def blocks(self) -> Generator[Samples | Lost | Gone | None, None, None]:
        """Yield the blocks of the device without end."""
        resumes_at: float | None = None  # where the audio before an interruption ended
        while True:
            sign: Gone | None = None
            silent_s = 0.0
            try:
                for block in self._microphone.blocks():
                    silent_s = silent_s + TICK_S if block is None else 0.0
                    if isinstance(block, np.ndarray) and resumes_at is not None:
                        yield self._microphone.missing(resumes_at, block)
                        resumes_at = None
                    yield block
                    if self._default is not None and self._default.moved(self._microphone.device):
                        yield Lost(0.0)  # what was heard so far belongs to this device
                        break
                    if silent_s >= STALLED_S:
                        break
            except DeviceError:
                sign = Gone()
            if resumes_at is None:
                resumes_at = self._microphone.heard_until
                self._drops += 1
            yield from self._reopen(sign)

    def _reopen(self, sign: Gone | None) -> Iterator[Gone | None]:
        """Open the device again, however long it takes; yield the sign for each `TICK_S`, and Gone at once."""
        if sign is not None:
            yield sign
        self._microphone.release(0.0)
        self._listed, self._failures = starts(), 0
        lookout, ticks = Lookout(), Ticks()
        try:
            for pause_s in self._pauses():
                yield from ticks.sleep(pause_s, sign)
                looking = lookout.look()
                yield from ticks.wait(looking, LOOK_S, sign)
                if not looking.done():  # the sound server hangs
                    lookout.replace()
                    continue
                try:
                    device = self._wanted(looking.result())
                except DeviceError:
                    sign = Gone()
                    self._listed, self._failures = starts(), 0
                    continue
                if (yield from self._open(device, ticks, sign)):
                    return
                sign = Gone()
                self._failures += 1
        finally:
            lookout.close()

    def _wanted(self, listed: list[Device]) -> Device:
        """The device to open. Raises DeviceError if it is not listed."""
        if self._default is None:
            return find_again(self._microphone.device, listed)
        return default_of(listed)

    def _open(self, device: Device, ticks: Ticks, sign: Gone | None) -> Generator[Gone | None, None, bool]:
        """Open a device that another process has listed. Returns whether that succeeded."""

        def open_it() -> Microphone:
            def open_listed() -> Microphone:
                return Microphone(find_again(device, list_devices()), channel=self._microphone.channel)

            due = self._refresh_due(device)
            if not due or (kept() and device.api == "ALSA"):  # which opens devices by name, also from an old list
                try:
                    return open_listed()
                except DeviceError:
                    if not due:
                        raise
            refresh()
            return open_listed()

        opening = submit(open_it)
        try:
            yield from ticks.wait(opening, STUCK_S, sign)
            if not opening.done():  # although another process has just been answered
                raise DeviceError(
                    f"PortAudio has not answered for {STUCK_S:.0f} s: {printable(device.name)} cannot be opened. "
                    "Start noisewatch again."
                )
        except BaseException:
            abandon(opening, lambda opened: opened.release(0.0))
            raise
        error = opening.exception()
        if isinstance(error, DeviceError):
            sentence = str(error).partition(". ")[0]
            if sentence != self._problem:
                self._notify(f"{sentence}. It is tried again.")
            self._problem = sentence
            return False
        if error is not None:  # a channel that it does not have, or a fault of the program
            raise error
        self._problem = ""
        before, self._microphone = self._microphone, opening.result()
        self._drops += before.drops
        self._reopened.append(time.monotonic())
        if self._default is not None:
            self._default.forget()
        if self.name != before.name:
            self._notify(f"now listening to {printable(self.name)}")
        return True

    def _refresh_due(self, device: Device) -> bool:
        """Whether PortAudio may start anew for this device. Called on its thread.

        That interrupts the other microphones of this process. If there are any, it is done only where our list of
        devices is older than the loss or lacks the device, and after 4, 8, 16 ... attempts that failed anyway.
        """
        if not kept():
            return True
        if self._failures:
            return self._failures >= 4 and self._failures.bit_count() == 1
        same = (device.name, device.api, device.channels)
        return starts() == self._listed or same not in [(d.name, d.api, d.channels) for d in list_devices()]

    def _pauses(self) -> Iterator[float]:
        """The pauses before each attempt, s."""
        pause_s, longest_s = PAUSES_S
        while True:
            while self._reopened and time.monotonic() - self._reopened[0] > STORM_S:
                self._reopened.popleft()
            if not self._reopened:  # it has stayed for a minute, or stayed away
                self._storm = False
            if self._storm or len(self._reopened) > STORM:
                if not self._storm:
                    self._notify(
                        f"{printable(self.name)} came back and failed {len(self._reopened)} times in a minute. "
                        f"Now it is tried every {STORM_PAUSE_S:.0f} s. Check its cable and the sound server."
                    )
                self._storm = True
                yield STORM_PAUSE_S
            else:
                yield pause_s * random.uniform(1 - JITTER, 1 + JITTER)
                pause_s = min(GROWTH * pause_s, longest_s)


def wait_for(word: str | None, channel: Channel, notify: Callable[[str], None]) -> Microphone:
    """Open a microphone (`word` as for `find_device`) as soon as it can be opened.

    notify: called once with why it cannot be opened yet. Raises LibraryError, UsageError.
    """
    pause_s, longest_s = PAUSES_S
    lookout, waiting = Lookout(), False
    try:
        while True:
            try:
                if waiting:
                    find_among(lookout.look().result(LOOK_S), word)
                    refresh()
                return Microphone(find_device(word), channel=channel)
            except LibraryError:
                raise
            except TimeoutError:  # the sound server hangs
                lookout.replace()
            except DeviceError as error:
                if not waiting:
                    why = str(error).partition(". ")[0]
                    notify(f"waiting for {'a microphone' if word is None else printable(word)}: {why}")
                waiting = True
            time.sleep(pause_s)
            pause_s = min(GROWTH * pause_s, longest_s)
    finally:
        lookout.close()
