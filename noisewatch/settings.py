"""Options of `listen` from a file: what every session on this machine should begin with."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import InputError, UsageError

VARIABLE = "NOISEWATCH_CONFIG"  # names another file


def place() -> Path:
    """The configuration file, which need not exist."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("noisewatch") / "config.toml"


def read(known: Iterable[str]) -> dict[str, Any]:
    """The options that the file sets, by their names on the command line without the dashes.

    Raises InputError for what is no TOML, UsageError for a key that is none of `known`.
    """
    path = place()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise UsageError(f"{VARIABLE} names {path}, and no file is there.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the configuration {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the configuration {path} is no TOML: {error}.") from error
    names = list(known)
    for key in given:
        if key not in names:
            raise UsageError(f"{path} sets {key!r}, which does not exist. {nearest(key, names)}")
    return given


def nearest(word: str, names: Iterable[str]) -> str:
    """The right name, or all of them."""
    near = difflib.get_close_matches(word, list(names), 1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
