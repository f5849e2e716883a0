"""The user's folders, which a container's made-up user does not have."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from ..errors import UsageError

MOST_BYTES = 64 << 10  # of a configuration or recipe: all options take some hundred


def user_folder(kind: Literal["config", "state", "cache"]) -> Path | None:
    """noisewatch's own folder of a kind, which need not exist; None for a user without a home folder."""
    import platformdirs

    folders = {
        "config": platformdirs.user_config_path,
        "state": platformdirs.user_state_path,
        "cache": platformdirs.user_cache_path,
    }
    try:
        folder = folders[kind]("noisewatch")
    except RuntimeError:  # of later versions; earlier ones leave "~" in the path
        return None
    return folder if folder.is_absolute() else None


def expanded(path: Path) -> Path:
    """A path with `~` replaced, which no shell does in a file or a variable. Raises UsageError."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        if os.path.lexists(path):
            return path
        raise UsageError(
            f"{path} begins with a home folder that is not known here. Give the whole path."
        ) from error


def contents(path: Path, most: int | None = None) -> bytes:
    """The bytes of a regular file, `most` of them at most. Raises OSError.

    A named pipe would be waited for, and a device never ends: both are refused, unread.
    """

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    with open(path, "rb", opener=at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a device or a pipe, no regular file")
        data = file.read(-1 if most is None else most + 1)
    if most is not None and len(data) > most:
        raise OSError(errno.EFBIG, f"it is longer than the {most} bytes that are allowed")
    return data


def seen(path: Path) -> bool:
    """Whether it is there, as far as this user can tell."""
    try:
        return path.exists()
    except PermissionError:  # of a folder above it
        return False
