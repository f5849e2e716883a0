"""`config`: the options that `listen` starts with."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Annotated, Any, cast

import typer

from ..errors import DeviceError, NoisewatchError, printable
from ..system.paths import exists
from ..system.validation import suggest
from . import settings
from .app import command
from .help import PREFIX, Group
from .stderr import notify

OTHERS = ("NOISEWATCH_DATA",)  # read by the project's own tests
_FROM = {"ENVIRONMENT": "environment", "DEFAULT_MAP": "file", "DEFAULT": "default"}


@command("noisewatch config", "NOISEWATCH_DEVICE=USB noisewatch config --json")
def config(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show the options in force, and where each comes from.

    An environment variable such as NOISEWATCH_DEVICE overrides config.toml; the command line overrides both. Ends
    with the error of `listen` if it would refuse a value.
    """
    rows, refused = in_force(ctx)
    unknown = _unknown_variables({row["variable"] for row in rows})
    if as_json:
        for row in rows:
            print(json.dumps(row, default=str))
    else:
        from rich.table import Table

        from ..ui import terminal

        table = Table("option", "value", "from", "variable", box=None, header_style="bold")
        for row in rows:
            shown = "-" if row["value"] is None else printable(str(row["value"]))
            if isinstance(row["value"], bool):
                shown = "yes" if row["value"] else "no"
            table.add_row(row["option"], shown, row["from"], row["variable"])
        console = terminal.console()
        console.print(table, markup=False)
        path = settings.file_path()
        where = "none: this user has no home folder" if path is None else str(path)
        if path is not None and not exists(path):
            where += " (does not exist)"
        console.print(f"\nfile: {where}", markup=False, soft_wrap=True)
    for sentence in unknown:
        notify(sentence)
    if refused is not None:
        raise refused


def in_force(ctx: typer.Context) -> tuple[list[dict[str, Any]], NoisewatchError | None]:
    """The options of `listen`: name, value, origin and variable of each; and the error that it would end with."""
    commands = cast(Group, ctx.find_root().command).commands
    known = settings.configurable(commands["listen"])
    with commands["listen"].make_context("listen", [], parent=ctx.find_root()) as session:
        rows = [
            {
                "option": name,
                "value": _plain(session.params[param.name]),
                "from": _FROM[getattr(session.get_parameter_source(param.name), "name", "DEFAULT")],
                "variable": param.envvar,
            }
            for name, param in known.items()
        ]
        if session.params["follow_default"]:  # which ignores both
            ignored = {"device": None, "calibration": False}
            session.params.update(ignored)
            rows = [
                row | {"value": ignored[row["option"]], "from": "follow-default"}
                if row["option"] in ignored else row
                for row in rows
            ]  # fmt: skip
        return rows, _refused(session.params, next(r for r in rows if r["option"] == "threshold"))


def _plain(value: Any) -> Any:
    """An option that can be repeated, but is not, as a single value."""
    if not isinstance(value, list | tuple):
        return value
    return [*value] if len(value) > 1 else next(iter(value), None)


def _refused(params: dict[str, Any], row: dict[str, Any]) -> NoisewatchError | None:
    """Fill in the threshold that `listen` would use if none is set. Returns the error that it would end with."""
    from ..core.noise_detector import NoiseDetector
    from ..inputs.devices import find_device
    from ..outputs.registry import make_sinks
    from ..tasks.calibrations import of_device

    try:
        detector = NoiseDetector(params["model"])
        card = detector.model.card
        detector.stream(hop=params["hop"], threshold=row["value"])
        make_sinks(command=params["exec_"])
        if row["value"] is None:
            row |= {"value": card.threshold, "from": f"card of {card.name}"}
            if params["calibration"] and len(params["device"] or ()) < 2:  # each has a threshold of its own
                with suppress(DeviceError):  # no microphone, no calibration
                    device = find_device(next(iter(params["device"] or ()), None)).name
                    if own := of_device(device, card, params["hop"], notify):
                        row |= {"value": own.threshold, "from": f"calibration of {printable(device)}"}
    except NoisewatchError as error:
        return error
    return None


def _unknown_variables(known: set[str]) -> list[str]:
    """Sentences about environment variables with our prefix that set no option."""
    from ..outputs.command import VARIABLE_PREFIX

    ours = sorted(name for name in os.environ if name.startswith(PREFIX))
    return [
        f"{name} is set, but there is no such option. {suggest(name, known)}"
        for name in ours
        if name not in known | {settings.FILE_VARIABLE, *OTHERS} and not name.startswith(VARIABLE_PREFIX)
    ]
