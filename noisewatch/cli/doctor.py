"""`doctor`: first aid, for bug reports."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ..core.shipped import DEFAULT
from ..errors import UsageError, printable
from . import settings
from .app import command, plain
from .arguments import only
from .config import in_force
from .help import INPUT, OUTPUT
from .options import Channel, ConfiguredModel, Device

Seconds = Annotated[float, typer.Option(metavar="S", help="How long to listen, 3 to 600.", rich_help_panel=INPUT)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT)]


@command(
    "noisewatch doctor", "noisewatch doctor --device USB --seconds 10", "noisewatch doctor --json > report.json"
)
def doctor(
    ctx: typer.Context,
    device: Device = None,
    channel: Channel = None,
    seconds: Seconds = 5.0,
    model: ConfiguredModel = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Find out what is wrong: the machine, the microphone, and what it sends.

    The report can be pasted into a bug report: it holds no audio, and not the command of --exec. Exit code 0 if all
    is well, 3 with findings, 4 without a usable input.
    """
    from ..tasks.doctor import examine
    from ..ui.countdown import counting_down

    microphone, number = only(ctx, "device", device), only(ctx, "channel", channel)
    try:
        rows, refused = in_force(ctx)
    except typer.BadParameter as error:  # of a variable or the file
        origin = settings.origin_of(error) or "the configuration"
        rows, refused = [], UsageError(f"{origin}: {plain(error.message)}")
    hop = next((row["value"] for row in rows if row["option"] == "hop"), None)
    waiting = counting_down("Speak as you usually do.")
    found = examine(microphone, channel=number, model=model, hop=hop, seconds=seconds, waiting=waiting)
    found.sections["configuration"] = {row["option"]: _shown(row) for row in rows if row["from"] != "default"}
    if refused is not None and str(refused) not in found.findings:
        found.findings.append(str(refused))
    if as_json:
        report = {**found.sections, "findings": found.findings, "usable": found.usable}
        print(json.dumps(report, default=str), flush=True)
    else:
        for section, facts in found.sections.items():
            print(section)
            for name, value in facts.items():
                print(f"  {printable(name):18} {'-' if value is None else printable(str(value))}")
        print("findings" if found.findings else "findings: none, all is well")
        for number, sentence in enumerate(found.findings, 1):
            print(f"  {number}. {sentence.replace(chr(10), chr(10) + '     ')}", flush=True)
    if found.exit_code:
        raise SystemExit(found.exit_code)


def _shown(row: dict[str, Any]) -> str:
    """An option in force; a command may hold secrets."""
    value = "a command" if row["option"] == "exec" else row["value"]
    return f"{'-' if value is None else value} ({row['from']})"
