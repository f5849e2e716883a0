"""`config`, and where options of `listen` come from: command line, environment, file, default."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Annotated, Any

import typer

from .. import settings
from ..errors import DeviceError, NoisewatchError, UsageError, printable
from ..events import VARIABLES
from ..places import seen
from .base import app, plain, say

PREFIX = "NOISEWATCH_"
SHARED = ("device", "channel", "model")  # `check` and `calibrate` begin with these, too
OTHERS = ("NOISEWATCH_DATA",)  # the recordings that the project's own tests read
FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_FROM = {"ENVIRONMENT": "environment", "DEFAULT_MAP": "file", "DEFAULT": "default"}


def options(command: Any) -> dict[str, Any]:
    """The options of a command by their long names without the dashes."""
    named = {max(p.opts, key=len).lstrip("-"): p for p in command.params if p.opts[0].startswith("-")}
    return {name: p for name, p in named.items() if name != "help"}


def defaults(ctx: typer.Context) -> dict[str, Any]:
    """What the file sets, by command and parameter; raises UsageError for values that cannot be, there or in
    the environment."""
    command = _listen(ctx)
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


def _listen(ctx: typer.Context) -> Any:
    return ctx.find_root().command.commands["listen"]  # type: ignore[attr-defined]


@app.command()
def config(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what `listen` begins with, and where each value comes from."""
    command = _listen(ctx)
    known = options(command)
    with command.make_context("listen", [], parent=ctx.find_root()) as session:
        rows = [
            {
                "option": name,
                "value": session.params[param.name],
                "from": _FROM[session.get_parameter_source(param.name).name],
                "variable": variable(name),
            }
            for name, param in known.items()
        ]
        problem = _threshold_in_force(session.params, next(r for r in rows if r["option"] == "threshold"))
    strange = _strange({row["variable"] for row in rows})
    if as_json:
        for row in rows:
            print(json.dumps(row, default=str))
    else:
        from rich.table import Table

        from .. import terminal

        table = Table("option", "value", "from", "variable", box=None, header_style="bold")
        for row in rows:
            shown = "-" if row["value"] is None else printable(str(row["value"]))
            if isinstance(row["value"], bool):
                shown = "yes" if row["value"] else "no"
            table.add_row(row["option"], shown, row["from"], row["variable"])
        console = terminal.console()
        console.print(table, markup=False)
        place = settings.place()
        where = "none, as this user has no home folder" if place is None else str(place)
        if place is not None and not seen(place):
            where += " (not there)"
        console.print(f"\nfile: {where}", markup=False, soft_wrap=True)
    for sentence in [*problem, *strange]:
        say(sentence)


def _threshold_in_force(params: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """Fill in the threshold that `listen` would use where none is set. Sentences: why it is not known."""
    from ..calibration import fitting
    from ..microphone import find_device
    from ..model import Model

    if row["value"] is not None:
        return []
    try:
        card = Model(params["model"]).card
        row |= {"value": card.threshold, "from": f"card of {card.name}"}
        if params["calibration"]:
            with suppress(DeviceError):  # no microphone, no calibration
                device = find_device(params["device"]).name
                if kept := fitting(device, card, params["hop"], say):
                    row |= {"value": kept.threshold, "from": f"calibration of {printable(device)}"}
    except NoisewatchError as error:
        return [str(error)]
    return []


def _strange(known: set[str]) -> list[str]:
    """Variables that look like ours and are not."""
    ours = sorted(name for name in os.environ if name.startswith(PREFIX))
    return [
        f"{name} is set, and no option is called so. {settings.nearest(name, known)}"
        for name in ours
        if name not in known | {settings.VARIABLE, *OTHERS} and not name.startswith(VARIABLES)
    ]
