"""Errors for recordings that could be decoded only in part, and how much may be missing before one is raised."""

from __future__ import annotations

from ..errors import InputError

TOLERANCE_S = 0.1  # a recording may be this much shorter than its header promises
LOST_S = 1.0  # undecoded bytes that would last this long, at the bitrate of what was decoded, may be audio

ANOTHER = "another recording begins after them"  # a reason for `only_first`


def lost_bytes(size: int) -> str:
    """The reason for `only_first` if undecoded bytes may be audio."""
    return f"the {size} bytes after them cannot be decoded"


def only_first(
    name: str, heard_s: float, reason: str, advice: str = "Check the program that wrote it."
) -> InputError:
    """The error for a recording that continues after the point up to which it was decoded."""
    return InputError(f"only the first {heard_s:.1f} s of {name} could be judged: {reason}. {advice}")


def ended_early(name: str, promised_s: float, heard_s: float) -> InputError:
    """The error for a recording that is shorter than its header promises."""
    return InputError(f"{name} ended early: its header promises {promised_s:.1f} s, but it has {heard_s:.1f} s.")


def cut_off(name: str, heard_s: float) -> InputError:
    """The error for a container that ends within one of its parts."""
    return InputError(f"{name} ended early: it is cut off after {heard_s:.1f} s.")


def unreadable_beyond(name: str, heard_s: float, reason: str) -> InputError:
    """The error for a damaged recording whose decoder gave up."""
    return InputError(f"{name} is damaged: it cannot be read beyond {heard_s:.1f} s ({reason}).")
