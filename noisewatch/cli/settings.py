"""Options from `config.toml` and from the environment.

The command-line parser reads them, too: a value in the file is a default, and a variable overrides it. An option
can be set there if it has a variable, and only the commands that have it read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ..errors import InputError, UsageError
from ..system.paths import MAX_CONFIG_BYTES, exists, expand_home, read_regular_file, user_folder
from ..system.validation import parse_toml, suggest
from .help import PREFIX

FILE_VARIABLE = f"{PREFIX}CONFIG"  # path of another file


def file_path() -> Path | None:
    """The configuration file, which need not exist; None for a user without a home folder."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return expand_home(Path(named))
    folder = user_folder("config")
    return None if folder is None else folder / "config.toml"


def configurable(command: Any) -> dict[str, Any]:
    """The parameters of a command that have a variable, by the long name of the option without dashes."""
    return {max(p.opts, key=len).lstrip("-"): p for p in command.params if p.envvar}


def defaults(commands: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The values in the file for the command of this name, as a default map for the parser.

    Values of other commands are ignored. Raises InputError for a file that is not TOML, and UsageError for keys
    that no command has and for values of the wrong type.
    """
    known = {key for command in commands.values() for key in configurable(command)}
    own = configurable(commands[name])
    values = {}
    for key, value in _read().items():
        if key not in known:
            raise UsageError(f"{file_path()} sets {key!r}, which is not an option. {suggest(key, sorted(known))}")
        if key in own:
            _check_type(key, value, own[key])
            param = own[key]
            listed = [str(each) for each in (value if isinstance(value, list) else [value])]
            values[param.name] = value if param.is_flag else listed if param.multiple else listed[0]
    return {name: values}


def _check_type(key: str, value: object, param: Any) -> None:
    if param.is_flag and not isinstance(value, bool):
        raise UsageError(f"{file_path()} sets {key} to {value!r}; allowed: true or false.")
    given = value if param.multiple and isinstance(value, list) else [value]
    if not param.is_flag and any(isinstance(v, bool) or not isinstance(v, str | int | float) for v in given):
        more = ", or a list of them" if param.multiple else ""
        raise UsageError(
            f"{file_path()} sets {key} to {value!r}; allowed: a number or a string, as on the command line{more}."
        )


def _read() -> dict[str, Any]:
    path = file_path()
    if path is None:
        return {}
    try:
        return parse_toml(read_regular_file(path, MAX_CONFIG_BYTES).decode())
    except FileNotFoundError:
        if os.environ.get(FILE_VARIABLE):
            raise UsageError(f"{FILE_VARIABLE} names {path}, but there is no such file.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not os.environ.get(FILE_VARIABLE) and not exists(path):
            return {}  # another user's folder, as HOME may be in a container
        raise InputError(
            f"the configuration {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    except ValueError as error:
        raise InputError(f"the configuration {path} is not TOML: {error}.") from error


def origin_of(error: typer.BadParameter) -> str | None:
    """The variable or the key in the file that a bad value came from; None for the command line."""
    ctx, param = error.ctx, error.param
    if ctx is None or param is None or param.name is None:
        return None
    source = getattr(ctx.get_parameter_source(param.name), "name", "")
    key = max(param.opts, key=len).lstrip("-")
    if source == "ENVIRONMENT":
        return f"{param.envvar} is {os.environ.get(str(param.envvar))!r}"
    if source == "DEFAULT_MAP":
        return f"{file_path()} sets {key} to {(ctx.default_map or {}).get(param.name)!r}"
    return None
