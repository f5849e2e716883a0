"""`train`: a network from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import printable
from .base import command, tell, training


@command()
def train(
    data: Annotated[Path, typer.Argument(help="Folder with manifest.csv, or a csv.")] = Path("data"),
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the run.", show_default="runs/DATE")
    ] = None,
    net: Annotated[str | None, typer.Option(help="Which network.", show_default=DEFAULT)] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="TOML with these options.", show_default="the network's own")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs; each ends with a validation.", show_default="the recipe's")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Windows drawn per epoch.", show_default="16000")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Windows per step.", show_default="64")] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate.", show_default="the recipe's")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Replays a run.", show_default="0")] = None,
    precision: Annotated[str | None, typer.Option(help="32, bf16 or 16.", show_default="32")] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=0, help="Early stopping after so many epochs without improvement.", show_default="never"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that draw windows.", show_default="2")
    ] = None,
    teacher: Annotated[
        list[str] | None, typer.Option(help="Teacher model for knowledge distillation (repeatable).")
    ] = None,
    init_from: Annotated[
        list[str] | None,
        typer.Option(help="Run that gives the initial weights; for a duo also two runs, one per member."),
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="GPUs or processes that share a batch.", show_default="1")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that stores drawn windows for later runs (25 kB each).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run, if there is one.")] = False,
) -> None:
    """Train a network on recordings of your own."""
    module, checkpoint = training("fit"), training("checkpoint")
    if out is None:
        out = checkpoint.newest_run("last.pt") if resume else checkpoint.new_run()
    given = {"net": net, "epochs": epochs, "windows": windows, "batch": batch, "lr": lr, "precision": precision,
             "patience": patience, "seed": seed,
             "workers": workers, "teachers": tuple(teacher) if teacher else None,
             "init_from": tuple(init_from) if init_from else None}  # fmt: skip
    options = {key: value for key, value in given.items() if value is not None}
    best = module.fit(data, out, options, recipe=recipe, resume=resume, devices=devices, cache=cache)
    if best is not None:
        print(best)
        tell(f"next: noisewatch export-onnx {printable(str(out))}")
