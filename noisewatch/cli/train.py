"""`train`: a network from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.shipped import DEFAULT
from ..errors import printable
from .app import command, training
from .help import ACTIONS, INPUT, OUTPUT, TRAINING
from .stderr import write_line


def _option(*names: str, metavar: str, default: str | None, help: str, **more: Any) -> Any:
    """A training option: unless it is given, the recipe's value counts."""
    return typer.Option(
        *names, metavar=metavar, show_default=default or False, help=help, rich_help_panel=TRAINING, **more
    )


@command(
    "noisewatch train data                                  # the default network",
    "noisewatch train data --net tcn --epochs 30 -o runs/mine",
    "noisewatch train data --net tcn --teacher duo          # distillation",
    "noisewatch train data --resume --epochs 50 -o runs/mine",
)
def train(
    data: Annotated[
        Path, typer.Argument(help="Folder with manifest.csv, or a CSV file.", rich_help_panel=INPUT)
    ] = Path("data"),
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="TOML",
            help="File with the training options below, and the ranges of the scenes.",
            show_default="the network's own",
            rich_help_panel=INPUT,
        ),
    ] = None,
    init_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="Run that gives the initial weights; for a duo also two runs, one per member.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="Folder of the run.",
            show_default="runs/DATE",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder that stores mixed windows for later runs (25 kB each).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    net: Annotated[str | None, _option(metavar="NAME", default=DEFAULT, help="Network; see `models`.")] = None,
    teacher: Annotated[
        list[str] | None,
        _option(metavar="NAME", default=None, help="Teacher model for knowledge distillation (repeatable)."),
    ] = None,
    epochs: Annotated[
        int | None, _option(metavar="N", default="the recipe's", help="Epochs; each ends with a validation.", min=1)
    ] = None,
    windows: Annotated[
        int | None, _option(metavar="N", default="the recipe's, else 16000", help="Windows per epoch.", min=1)
    ] = None,
    batch: Annotated[
        int | None, _option(metavar="N", default="the recipe's, else 64", help="Windows per step.", min=2)
    ] = None,
    lr: Annotated[float | None, _option(metavar="X", default="the recipe's", help="Peak learning rate.")] = None,
    precision: Annotated[
        str | None, _option(metavar="BITS", default="the recipe's, else 32", help="32, bf16 or 16.")
    ] = None,
    patience: Annotated[
        int | None,
        _option(
            metavar="N",
            default="the recipe's, else never",
            help="Stop after N epochs without improvement; 0: never.",
            min=0,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        _option(metavar="N", default="the recipe's, else 0", help="Random seed of the run.", min=0, max=2**32 - 1),
    ] = None,
    workers: Annotated[
        int | None, _option(metavar="N", default="the recipe's, else 2", help="Processes that mix windows.", min=0)
    ] = None,
    devices: Annotated[
        int | None, _option(metavar="N", default="1", help="GPUs or processes that share a batch.", min=1)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out, if there is one.", rich_help_panel=ACTIONS)
    ] = False,
) -> None:
    """Train a network on your own recordings."""
    fit, checkpoint = training("fit"), training("checkpoint")
    if out is None:
        out = checkpoint.newest_run("last.pt") if resume else checkpoint.new_run()
    given = {
        "net": net,
        "epochs": epochs,
        "windows": windows,
        "batch": batch,
        "lr": lr,
        "precision": precision,
        "patience": patience,
        "seed": seed,
        "workers": workers,
        "teachers": tuple(teacher) if teacher else None,
        "init_from": tuple(init_from) if init_from else None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    best = fit.fit(data, out, options, recipe=recipe, resume=resume, devices=devices, cache=cache)
    if best is not None:
        print(best)
        write_line(f"next: noisewatch export-onnx {printable(str(out))}")
