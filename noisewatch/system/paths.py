"""Paths that a user names, and the user's own folders; both may be inaccessible in a container."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from ..errors import UsageError

MAX_CONFIG_BYTES = 64 << 10  # of a configuration or recipe; one with every option takes a few hundred


def user_folder(kind: Literal["config", "state", "cache"]) -> Path | None:
    """noisewatch's folder for a kind of file, which need not exist; None for a user without a home folder."""
    import platformdirs

    folders = {
        "config": platformdirs.user_config_path,
        "state": platformdirs.user_state_path,
        "cache": platformdirs.user_cache_path,
    }
    try:
        folder = folders[kind]("noisewatch")
    except RuntimeError:  # raised by later versions; earlier ones leave "~" in the path
        return None
    return folder if folder.is_absolute() else None


def expand_home(path: Path) -> Path:
    """A path with `~` expanded, as a shell does on a command line but not in a file. Raises UsageError."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        if os.path.lexists(path):
            return path
        raise UsageError(f"{path} starts with an unknown home folder. Give the absolute path.") from error


def read_regular_file(path: Path, max_bytes: int | None = None) -> bytes:
    """The content of a regular file. Raises OSError, also for a longer file than max_bytes.

    Named pipes and devices are refused without reading: one may block, the other may never end.
    """

    def open_without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    with open(path, "rb", opener=open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        data = file.read(-1 if max_bytes is None else max_bytes + 1)
    if max_bytes is not None and len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"it is longer than the {max_bytes} bytes allowed")
    return data


def exists(path: Path) -> bool:
    """Whether a path exists, as far as this user may see."""
    try:
        return path.exists()
    except PermissionError:  # on a parent folder
        return False
