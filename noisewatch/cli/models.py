"""`models`: the shipped networks, and those that can be trained."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.shipped import WAVEFORM
from ..errors import UsageError
from .app import command, training
from .help import OUTPUT

if TYPE_CHECKING:
    from ..evaluation.networks import Network


@command(
    "noisewatch models",
    "noisewatch models --json",
)
def models(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """List the networks, their cost and their accuracy.

    The AUCs come from each model's report on the test split, which `evaluate DATA -o NAME` writes. They are stored
    on the card inside the ONNX file. Untrained networks have none: an AUC belongs to weights.
    """
    from ..evaluation.networks import shipped

    found = shipped()
    with suppress(UsageError):  # without the training extra, only the models that ship are listed
        known = {network.name for network in found}
        found += [network for network in training("profile").trainable() if network.name not in known]
    if as_json:
        for network in found:
            print(json.dumps(asdict(network)))
        return
    from rich.table import Table

    from ..ui import terminal

    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    for column in ("parameters", "MACs", "KiB", "ms", "AUC\n0-20 dB", "AUC\nlive", "threshold"):
        table.add_column(column, justify="right")
    table.add_column("", no_wrap=True)
    for network in found:
        table.add_row(*_cells(network))
    console = terminal.console()
    console.print(table, markup=False)
    console.print(
        "\nAUC: from each model's report on the test split. ms: one decision on this machine.\n"
        f"{WAVEFORM}.onnx, beside them, is stcn with the front end inside: for programs other than noisewatch.",
        highlight=False,
    )


def _cells(n: Network) -> list[str]:
    figures = ((n.kib, ".0f"), (n.ms, ".2f"), (n.auc, ".3f"), (n.live, ".3f"), (n.threshold, "g"))
    return [
        n.name,
        "-" if n.parameters is None else f"{n.parameters:,}",
        "-" if n.macs is None else f"{n.macs / 1e6:.1f} M",
        *("-" if value is None else f"{value:{form}}" for value, form in figures),
        "default" if n.default else "shipped" if n.shipped else "to train",
    ]
