"""The input devices of this machine, and the selection of one by index or name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import DeviceError, UsageError, printable
from .portaudio import call_portaudio, portaudio


@dataclass(frozen=True)
class Device:
    """An input device as PortAudio lists it."""

    index: int
    name: str
    api: str  # PortAudio host API: ALSA, Core Audio, WASAPI ...
    channels: int
    sample_rate: int  # native, Hz
    default: bool


def list_devices() -> list[Device]:
    """Return all input devices. Raises DeviceError if PortAudio is missing, does not answer, or lists none."""
    found = call_portaudio(_query)
    if not found:
        raise DeviceError(
            "no microphone: PortAudio lists no input device. Plug one in, or allow this terminal to use it "
            "in the system settings. `noisewatch listen demo` works without one."
        )
    return found


def _query() -> list[Device]:
    sd = portaudio()
    apis = sd.query_hostapis()
    try:
        default = sd.query_devices(kind="input")["index"]
    except (sd.PortAudioError, ValueError):
        default = None
    return [
        Device(d["index"], d["name"], apis[d["hostapi"]]["name"], d["max_input_channels"],
               round(d["default_samplerate"]), d["index"] == default)
        for d in sd.query_devices() if d["max_input_channels"] > 0
    ]  # fmt: skip


def find_device(word: str | None) -> Device:
    """Return one input device: by index, by name (a unique part is enough), or the default for None.

    Raises DeviceError if nothing matches, and UsageError if several names match.
    """
    return find_among(list_devices(), word)


def find_among(devices: list[Device], word: str | None) -> Device:
    """`find_device` among devices that were listed before."""
    if word is None:
        return default_of(devices)
    if re.fullmatch(r"-?\d+", word):
        matching = [d for d in devices if d.index == int(word)]
        every = call_portaudio(lambda: portaudio().query_devices())
        if not matching and any(d["index"] == int(word) for d in every):
            raise DeviceError(f"device {word} has no input channels. Input devices:\n{_table(devices)}")
    else:
        exact = [d for d in devices if d.name.lower() == word.lower()]
        matching = exact or [d for d in devices if word.lower() in d.name.lower()]
    if not matching:
        raise DeviceError(f"no input device matches {word!r}. Input devices:\n{_table(devices)}")
    if len(matching) > 1:
        raise UsageError(f"{word!r} matches several devices. Give a longer name or an index:\n{_table(matching)}")
    return matching[0]


def default_of(listed: list[Device]) -> Device:
    """Return the default device, or the first if there is none. Raises DeviceError for an empty list."""
    if not listed:
        raise DeviceError("no input device is listed.")
    return next((d for d in listed if d.default), listed[0])


def find_again(device: Device, listed: list[Device]) -> Device:
    """Return a device as it is listed now. Raises DeviceError if it is not.

    It is recognised by its name: numbers change when devices come and go, also those that ALSA and Windows write
    into names. Of several with that name, by host API and number of channels.
    """
    matching = [d for d in listed if _lasting_name(d.name) == _lasting_name(device.name)]
    for same in ("api", "channels", "name", "index"):
        closer = [d for d in matching if getattr(d, same) == getattr(device, same)]
        matching = closer or matching
    if not matching:
        raise DeviceError(f"{printable(device.name)} is not listed.")
    return matching[0]


def _lasting_name(name: str) -> str:
    """A name without the numbers of card and device ("USB Mic (hw:2,0)") and of the copy ("Mic (2- USB Mic)")."""
    return re.sub(r"\((\d+- )?", "(", re.sub(r" \(hw:\d+,\d+\)$", "", name))


def _table(devices: list[Device]) -> str:
    return "\n".join(f"  {d.index:3}  {printable(d.name)} ({printable(d.api)})" for d in devices)
