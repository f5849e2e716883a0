"""`models`: the networks there are."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

import typer

from ..errors import UsageError
from .base import command, training


@command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the networks: size, cost of a window on this machine, and AUC in their reports, not on fixed windows."""
    from ..networks import shipped

    found = shipped()
    with suppress(UsageError):  # without the training extra, what is shipped is what there is
        known = {network.name for network in found}
        found += [network for network in training("profile").trainable() if network.name not in known]
    if as_json:
        for network in found:
            print(json.dumps(asdict(network)))
        return
    from rich.table import Table

    from ..ui import terminal

    table = Table("name", box=None, header_style="bold")
    for column in ("parameters", "MACs", "KiB", "ms", "AUC 0-20 dB (report)", "AUC live (report)"):
        table.add_column(column, justify="right")
    table.add_column("")
    for n in found:
        cells = [
            n.name,
            "-" if n.parameters is None else f"{n.parameters:,}",
            "-" if n.macs is None else f"{n.macs / 1e6:.1f} M",
            *(
                "-" if v is None else f"{v:{f}}"
                for v, f in ((n.kib, ".0f"), (n.ms, ".2f"), (n.auc, ".3f"), (n.live, ".3f"))
            ),
            "default" if n.default else "shipped" if n.shipped else "to train",
        ]
        table.add_row(*cells)
    terminal.console().print(table, markup=False)
