"""Opens the inputs of a session: one source, or several devices and channels at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError, printable
from .devices import Device, find_device
from .microphone import Microphone
from .opening import Input, Reconnect, check_channel, open_source
from .reconnecting import Reconnecting
from .source import Channel, Source
from .splitter import CLOSE_S, Splitter

MOST = 8  # inputs


@dataclass(frozen=True)
class Inputs:
    """The open inputs of a session, by name; an only one is called None."""

    sources: dict[str | None, Source]
    splitters: Sequence[Splitter] = ()  # that several sources are parts of; each source needs a thread of its own

    def stop(self) -> None:
        """Have the `blocks` of several inputs raise Stopped at once."""
        for splitter in self.splitters:
            splitter.stop()

    def close(self) -> None:
        """Close the devices and files; wait at most `CLOSE_S` for all of several."""
        self.stop()
        deadline = time.monotonic() + CLOSE_S
        for splitter in self.splitters:
            splitter.close(max(0.0, deadline - time.monotonic()))
        for source in self.sources.values():
            source.close()


def open_inputs(
    source: Input = None,
    *,
    device: str | Sequence[str] | None = None,
    channel: int | Sequence[int] | None = None,
    raw_rate: int | None = None,
    paced: bool = True,
    reconnect: Reconnect | None = None,
) -> Inputs:
    """Open a source, or every device given with every channel given; options as in `open_source`.

    Raises what `open_source` raises, and UsageError for what is given twice, more than 8 inputs, several inputs
    that should follow the default, and sources that cannot be split.
    """
    devices: Sequence[str | None] = [device] if isinstance(device, str) or device is None else [*device] or [None]
    channels: Sequence[int | None] = [*channel] or [None] if isinstance(channel, Sequence) else [channel]
    if len(devices) == len(channels) == 1:
        only = open_source(
            source, device=devices[0], channel=channels[0], raw_rate=raw_rate, paced=paced, reconnect=reconnect
        )
        return Inputs({None: only})
    numbers = [check_channel(each) for each in channels if each is not None]
    if twice := _repeated(numbers):
        raise UsageError(f"channel {twice} is given twice. Give every channel once.")
    if len(devices) * len(channels) > MOST:
        raise UsageError(
            f"{len(devices)} devices with {len(channels)} channels are {len(devices) * len(channels)} inputs; "
            f"allowed: up to {MOST}. Listen to the others in another terminal."
        )
    wanted = None if not numbers else numbers[0] if len(numbers) == 1 else tuple(numbers)
    opened: Mapping[str, Source]
    if source is None:
        opened = _open_devices(devices, wanted, raw_rate, reconnect)
    else:
        one = open_source(source, device=devices[0], channel=wanted, raw_rate=raw_rate, paced=paced)
        opened = {one.name: one}
    splitters = [Splitter(each, len(channels)) for each in opened.values()]
    whose = [f" channel {number}" for number in numbers] if len(numbers) > 1 else [""]
    names = [name + channel for name in opened for channel in whose]
    parts = [part for splitter in splitters for part in splitter.parts]
    return Inputs(dict(zip(names, parts, strict=True)), splitters)


def _open_devices(
    words: Sequence[str | None], channel: Channel | None, raw_rate: int | None, reconnect: Reconnect | None
) -> dict[str, Microphone | Reconnecting]:
    """Open the devices, all or none. Returns them by names that differ."""
    if reconnect is not None and reconnect.follow_default:
        raise UsageError("--follow-default is for one input. Leave it out, or give one channel and no device.")
    if reconnect is None or not reconnect.wait:  # before any of them is opened
        _names([find_device(word) for word in words])
    opened: list[Microphone | Reconnecting] = []
    try:
        for word in words:
            one = open_source(device=word, channel=channel, raw_rate=raw_rate, reconnect=reconnect)
            assert isinstance(one, Microphone | Reconnecting)
            opened.append(one)
        names = _names([each.device for each in opened])
    except BaseException:
        for each in opened:
            each.close()
        raise
    for each in opened:
        each.discard()  # what it heard while the others were opened
    return dict(zip(names, opened, strict=True))


def _names(devices: Sequence[Device]) -> list[str]:
    """A name for each device, with its index where names are equal. Raises UsageError for a device given twice."""
    if (index := _repeated([device.index for device in devices])) is not None:
        name = next(device.name for device in devices if device.index == index)
        raise UsageError(f"{printable(name)} (device {index}) is given twice. Give every device once.")
    count = Counter(device.name for device in devices)
    return [device.name if count[device.name] == 1 else f"{device.name} ({device.index})" for device in devices]


def _repeated(given: Iterable[int]) -> int | None:
    return next((each for each, count in Counter(given).items() if count > 1), None)
