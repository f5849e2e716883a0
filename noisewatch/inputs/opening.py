"""The one word that names any source: a microphone, a recording, a pipe, the demo clip."""

from __future__ import annotations

import os
import stat
import sys
from importlib import resources
from pathlib import Path

from ..errors import InputError, UsageError
from .piped import Piped
from .recording import open_recording
from .source import Source


def open_source(
    word: str | None = None,
    *,
    device: str | None = None,
    channel: int | None = None,
    raw_rate: int | None = None,
    paced: bool = True,
    command: str = "listen",
) -> Source:
    """None: the microphone `device`; "demo"; "-": stdin; else a path. `channel` counts from 1.

    Recordings are averaged over their channels unless one is picked; a microphone gives its first.
    command: what sentences tell the user to run. Raises DeviceError, InputError or UsageError.
    """
    if channel is not None and channel < 1:
        raise UsageError(f"the channel is {channel}; channels count from 1.")
    piped = word is not None and word not in ("-", "demo") and _is_pipe(word)
    if raw_rate is not None and word != "-" and not piped:
        raise UsageError(f"--raw-rate describes what comes through a pipe: noisewatch {command} - --raw-rate 48000")
    if word is None:
        from .microphone import Microphone  # late: PortAudio may be missing, and is not needed for files

        return Microphone(device, channel=channel or 1)
    if device is not None:
        raise UsageError(f"--device names a microphone, and {word!r} names a recording: give one of the two.")
    if word == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                f"`{command} -` reads audio from a pipe: ffmpeg -v error -i talk.mp4 -f wav - | noisewatch "
                f"{command} -"
            )
        return Piped("stdin", sys.stdin.fileno(), channel=channel, raw_rate=raw_rate, command=command)
    if piped:
        return Piped(Path(word).name, word, channel=channel, raw_rate=raw_rate, command=command)
    if word == "":
        raise InputError("the name of the recording is empty (''). Name a file.")
    demo = Path(str(resources.files("noisewatch") / "demo.flac"))
    path = demo if word == "demo" else Path(word)
    name = "demo" if word == "demo" else path.name
    return open_recording(path, name, channel=channel, paced=paced, command=command)


def _is_pipe(word: str) -> bool:
    try:
        mode = os.stat(word).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
