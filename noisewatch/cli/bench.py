"""`bench`: what each step costs on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from .app import command
from .help import INPUT, OUTPUT

Baselines = Annotated[
    bool, typer.Option("--baselines", help="Time the installed baselines, too.", rich_help_panel=INPUT)
]
Seconds = Annotated[
    float,
    typer.Option(
        metavar="S", help="Time to measure, 1 to 3600, after everything is loaded.", rich_help_panel=INPUT
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT)]


@command(
    "noisewatch bench",
    "noisewatch bench --baselines --seconds 300    # a busy machine",
    "noisewatch bench --json > bench.json",
)
def bench(baselines: Baselines = False, seconds: Seconds = 30.0, as_json: AsJson = False) -> None:
    """Time each step on this machine, side by side.

    Front end, networks, the whole path at 10 decisions a second, and scans. Each runs on one thread in a process of
    its own, and they take turns, so that other programs disturb all alike. The floor of a step is the time of its
    multiply-accumulates (MAC) in a matrix product.
    """
    from ..bench.run import bench as measure
    from ..bench.table import markdown
    from ..ui.progress import ProgressBar
    from ..ui.terminal import console

    with ProgressBar(console=console(stderr=True)) as bar:
        task = bar.add_task("Timing", total=1.0)
        report = measure(
            seconds=seconds, baselines=baselines, progress=lambda share: bar.update(task, completed=share)
        )
    print(json.dumps(asdict(report), allow_nan=False) if as_json else markdown(report))
