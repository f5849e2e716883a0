"""`prepare`: a manifest of recordings to train and evaluate on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .base import command, refuse_beside


@command()
def prepare(
    ctx: typer.Context,
    speech: Annotated[list[Path] | None, typer.Option(help="Folder of voices; repeat for more.")] = None,
    noise: Annotated[list[Path] | None, typer.Option(help="Folder of noises; repeat for more.")] = None,
    rir: Annotated[list[Path] | None, typer.Option(help="Folder of room impulse responses.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for manifest.csv.")] = Path("data"),
    demo: Annotated[bool, typer.Option("--demo", help="Generate a small set, to try the rest at once.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed for the split and the generated set.")] = 0,
) -> None:
    """Make a manifest of recordings to train on: csv, split by speaker and by noise recording."""
    from ..corpus import prepare as corpus

    if demo:
        refuse_beside(ctx, "demo", "speech", "noise", "rir")
        corpus.generate(out, seed=seed)
    elif not speech or not noise:
        raise UsageError("prepare needs --speech DIR and --noise DIR, or --demo.")
    else:
        corpus.prepare({"speech": speech, "noise": noise, "rir": rir or []}, out, seed=seed)
