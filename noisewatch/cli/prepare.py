"""`prepare`: a manifest of recordings to train and evaluate on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, printable
from .app import command
from .arguments import refuse_beside
from .help import ACTIONS, INPUT, OUTPUT
from .stderr import write_line


@command(
    "noisewatch prepare --speech LibriSpeech/dev-clean --noise ESC-50 -o data",
    "noisewatch prepare --speech voices --speech podcasts --noise street.csv",
    "noisewatch prepare --demo -o toy",
)
def prepare(
    ctx: typer.Context,
    speech: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="Folder or CSV file of clean speech (repeatable).", rich_help_panel=INPUT
        ),
    ] = None,
    noise: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Folder or CSV file of noise (repeatable).", rich_help_panel=INPUT),
    ] = None,
    rir: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Folder or CSV file of room impulse responses (repeatable).",
            rich_help_panel=INPUT,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for manifest.csv.", rich_help_panel=OUTPUT)
    ] = Path("data"),
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Generate a small data set to try things out.", rich_help_panel=ACTIONS),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Random seed of the splits and the generated set.", rich_help_panel=ACTIONS
        ),
    ] = 0,
) -> None:
    """Write a manifest of recordings for training.

    The splits train, val and test share no speaker and no noise recording.
    """
    from ..corpus.prepare import prepare
    from ..corpus.summary import summary
    from ..corpus.toy_set import generate

    if demo:
        refuse_beside(ctx, "demo", "speech", "noise", "rir")
        prepared = generate(out, seed=seed)
    elif not speech or not noise:
        raise UsageError("prepare needs --speech PATH and --noise PATH, or --demo.")
    else:
        prepared = prepare({"speech": speech, "noise": noise, "rir": rir or []}, out, seed=seed)
    for line in summary(prepared):
        write_line(printable(line))
