"""Where options of `listen` come from: command line, environment, file, default."""

from __future__ import annotations

import os
import re
from typing import Any

import typer

from ..errors import UsageError
from . import settings

PREFIX = "NOISEWATCH_"
SHARED = ("device", "channel", "model")  # `check` and `calibrate` begin with these, too
FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def options(command: Any) -> dict[str, Any]:
    """The options of a command by their long names without the dashes."""
    named = {max(p.opts, key=len).lstrip("-"): p for p in command.params if p.opts[0].startswith("-")}
    return {name: p for name, p in named.items() if name != "help"}


def defaults(ctx: typer.Context) -> dict[str, Any]:
    """What the file sets, by command and parameter; raises UsageError for values that cannot be, there or in
    the environment."""
    command = listen_command(ctx)
    known = options(command)
    # A command that shares a few options is not stopped by the values of the others.
    read = [key for key in known if ctx.invoked_subcommand in ("listen", "config") or key in SHARED]
    found = {}
    for key, value in settings.read(known).items():
        if key not in read:
            continue
        _possible(command, key, value, f"{settings.place()} sets {key} to {value!r}")
        found[known[key].name] = value if known[key].is_flag else str(value)
    for key in read:
        if text := os.environ.get(variable(key)):
            value = FLAGS.get(text.lower(), text) if known[key].is_flag else text
            _possible(command, key, value, f"{variable(key)} is {text!r}")
    shared = {name: value for name, value in found.items() if name in SHARED}
    return {"listen": found, "check": shared, "calibrate": shared}


def variable(option: str) -> str:
    """The environment variable of an option."""
    return PREFIX + option.upper().replace("-", "_")


def _possible(command: Any, option: str, value: object, said: str) -> None:
    """Whether the command line would take the value; raises UsageError that begins as `said`."""
    if options(command)[option].is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{said}; allowed: true or false.")
        return
    if isinstance(value, bool | list | dict):
        raise UsageError(f"{said}; allowed: a number or a text, as on the command line.")
    ours = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    try:
        command.make_context("listen", [f"--{option}={value}"])
    except typer.BadParameter as error:
        raise UsageError(f"{said}: {plain(error.message)}.") from error
    finally:
        os.environ.update(ours)


def listen_command(ctx: typer.Context) -> Any:
    """`listen`, whose options the file and the environment set."""
    return ctx.find_root().command.commands["listen"]  # type: ignore[attr-defined]


def plain(message: str) -> str:
    """Why a value cannot be a number; pydantic, which typer asks where it is installed, is wordy about it."""
    match = re.match("Input should be a valid (number|integer)", message)
    return {"number": "must be a number", "integer": "must be an integer"}[match[1]] if match else message
