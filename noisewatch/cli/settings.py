"""Options of `listen` from a file: what every session on this machine should begin with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InputError, UsageError
from ..system.paths import MAX_CONFIG_BYTES, exists, expand_home, read_regular_file, user_folder
from ..system.validation import parse_toml, suggest

VARIABLE = "NOISEWATCH_CONFIG"  # names another file


def place() -> Path | None:
    """The configuration file, which need not exist; None where the user has no home folder."""
    named = os.environ.get(VARIABLE)
    if named:
        return expand_home(Path(named))
    folder = user_folder("config")
    return None if folder is None else folder / "config.toml"


def read(known: Iterable[str]) -> dict[str, Any]:
    """The options that the file sets, by their names on the command line without the dashes.

    Raises InputError for what is no TOML, UsageError for a key that is none of `known`.
    """
    path = place()
    if path is None:
        return {}
    try:
        given = parse_toml(read_regular_file(path, MAX_CONFIG_BYTES).decode())
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise UsageError(f"{VARIABLE} names {path}, and no file is there.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not os.environ.get(VARIABLE) and not exists(path):
            return {}  # the folder of another user, as a container's HOME may be
        raise InputError(
            f"the configuration {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    except ValueError as error:
        raise InputError(f"the configuration {path} is no TOML: {error}.") from error
    names = list(known)
    for key in given:
        if key not in names:
            raise UsageError(f"{path} sets {key!r}, which does not exist. {suggest(key, names)}")
    return given
