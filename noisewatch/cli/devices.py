"""`devices`: the microphones of this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ..errors import printable
from .app import command
from .stderr import notify


@command("noisewatch devices", "noisewatch devices --json")
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List the microphones and their calibrations.

    Shows index, name, host API, channels, native sample rate (Hz) and the default.
    """
    from ..inputs.devices import list_devices
    from ..tasks import calibrations

    found, calibrated = list_devices(), calibrations.stored(notify)
    if as_json:
        for device in found:
            own = calibrated.get(device.name)
            print(json.dumps(asdict(device) | {"calibration": asdict(own) if own else None}))
        return
    from rich.table import Table

    from ..ui import terminal

    table = Table("index", "name", "system", "channels", "rate (Hz)", "default", box=None, header_style="bold")
    if calibrated:
        table.add_column("calibrated")
    for d in found:
        mark, own = "default" if d.default else "", calibrated.get(d.name)
        cells = [str(d.index), printable(d.name), printable(d.api), str(d.channels), str(d.sample_rate), mark]
        if calibrated:
            cells.append(f"threshold {own.threshold:.2f}; {own.sentence()}" if own else "")
        table.add_row(*cells)
    terminal.console().print(table, markup=False)
