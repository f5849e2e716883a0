"""What carries the sound on this machine: PortAudio, its host APIs, and the sound server. For bug reports."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..system.paths import exists
from .portaudio import call_portaudio, portaudio


def sound_system() -> dict[str, str]:
    """Versions and names. Raises DeviceError if PortAudio is missing or does not answer."""
    sd = portaudio()
    apis = call_portaudio(sd.query_hostapis)
    return {
        "portaudio": call_portaudio(lambda: str(sd.get_portaudio_version()[1])),
        "host APIs": ", ".join(api["name"] for api in apis if api["devices"]) or "none with devices",
        "sound server": sound_server(),
    }


def sound_server() -> str:
    """The sound server whose socket is in reach; on Linux only."""
    if not sys.platform.startswith("linux"):
        return "part of the system"
    named = os.environ.get("PULSE_SERVER")
    if named:
        return f"PULSE_SERVER={named}"
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    pipewire, pulse = exists(runtime / "pipewire-0"), exists(runtime / "pulse" / "native")
    if pipewire:
        return "PipeWire" + (", with its interface for PulseAudio" if pulse else "")
    return "PulseAudio" if pulse else "none found"
