"""Opens any source by name: a microphone, a recording, a pipe or the demo clip."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import InputError, UsageError, numeric
from .piped import Piped
from .recording import open_recording
from .source import Channel, Source

log = logging.getLogger("noisewatch")

Input = str | os.PathLike[str] | Source | None  # the name of a source, or a source


@dataclass(frozen=True)
class Reconnect:
    """Keep a microphone: open it again whenever it has gone away or stopped sending.

    wait            also wait for one that is missing at the start
    follow_default  listen to the system's default input, and move when another device becomes the default
    notify          called with a sentence about what is waited for, moved to, or keeps failing
    """

    wait: bool = False
    follow_default: bool = False
    notify: Callable[[str], None] = log.warning


def open_source(
    source: Input = None,
    *,
    device: str | None = None,
    channel: Channel | None = None,
    raw_rate: int | None = None,
    paced: bool = True,
    reconnect: Reconnect | None = None,
) -> Source:
    """Open a source of audio.

    source: None for a microphone, "demo" for the demo clip, "-" for stdin, else the path of a file or named pipe.
        A source object is returned unchanged.
    device: index or name of the microphone; None for the default one.
    channel: counted from 1; None averages the channels of a recording, and takes the first of a microphone. Several
        give blocks (n, channels).
    raw_rate: sample rate (Hz) of a pipe that carries signed 16-bit mono without a header.
    paced: deliver a recording at real-time speed, not as fast as it is read.
    reconnect: how to keep a microphone; by default, one that goes away is an error.

    Raises DeviceError for a microphone that cannot be opened, InputError for a recording or pipe that cannot be
    read, and UsageError (ChannelError for a missing channel) for arguments that do not fit the source.
    """
    if not (source is None or isinstance(source, str | os.PathLike)):
        if not hasattr(source, "blocks"):
            raise UsageError(f"the source is {source!r}; allowed: None, a path, or an object like `Source`.")
        if isinstance(channel, tuple):
            raise UsageError("the source is an object, which gives one channel. Open one for each channel.")
        return source
    word = None if source is None else os.fspath(source)
    if channel is not None and not isinstance(channel, tuple):
        channel = check_channel(channel)
    piped = word is not None and word not in ("-", "demo") and _is_pipe(word)
    if raw_rate is not None and word != "-" and not piped:
        what = "the microphone" if word is None else repr(word)
        raise UsageError(
            f"--raw-rate is for raw audio from a pipe, and {what} is not a pipe. Pipe the audio in: "
            f"noisewatch listen - --raw-rate {raw_rate} < talk.raw"
        )
    if word is None:
        return _open_microphone(device, channel or 1, reconnect)
    if device is not None:
        raise UsageError(f"--device names a microphone, and {word!r} is a recording or pipe. Give one of the two.")
    if word == "-" or piped:
        return _open_pipe(word, channel, raw_rate)
    if word == "":
        raise InputError("the name of the recording is empty (''). Name a file.")
    demo = Path(str(resources.files("noisewatch") / "demo.flac"))
    path = demo if word == "demo" else Path(word)
    name = "demo" if word == "demo" else path.name
    return open_recording(path, name, channel=channel, paced=paced)


def check_channel(channel: int) -> int:
    """Return a channel. Raises UsageError if it is not a whole number from 1."""
    if numeric("channel", channel) < 1 or channel % 1:
        raise UsageError(f"the channel is {channel}; channels are counted from 1.")
    return int(channel)


def _open_pipe(word: str, channel: Channel | None, raw_rate: int | None) -> Piped:
    if isinstance(channel, tuple):
        raise UsageError(
            f"{word!r} is a pipe, which is one input. Give one --channel, or store it in a file first."
        )
    if word != "-":
        return Piped(Path(word).name, word, channel=channel, raw_rate=raw_rate)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "'-' reads audio from stdin, and nothing is piped into it. Pipe audio in: "
            "ffmpeg -v error -i talk.mp4 -f wav - | noisewatch listen -"
        )
    return Piped("stdin", sys.stdin.fileno(), channel=channel, raw_rate=raw_rate)


def _open_microphone(device: str | None, channel: Channel, reconnect: Reconnect | None) -> Source:
    from .devices import find_device  # late: PortAudio may be missing, and recordings do not need it
    from .microphone import Microphone
    from .reconnecting import Reconnecting, wait_for

    if reconnect is None:
        return Microphone(find_device(device), channel=channel)
    if reconnect.follow_default and device is not None:
        raise UsageError(
            f"--follow-default is for the default input, and --device {device!r} names one. Leave one out."
        )
    if reconnect.wait:
        microphone = wait_for(device, channel, reconnect.notify)
    else:
        microphone = Microphone(find_device(device), channel=channel)
    return Reconnecting(microphone, reconnect.notify, follow_default=reconnect.follow_default)


def _is_pipe(word: str) -> bool:
    try:
        mode = os.stat(word).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
