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


def _training(metavar: str, help: str, default: str | bool = "the recipe's", **more: Any) -> Any:
    """An option of the training itself. Unless it is given, the recipe's value applies."""
    return typer.Option(metavar=metavar, show_default=default, help=help, rich_help_panel=TRAINING, **more)


Data = Annotated[Path, typer.Argument(help="Folder with manifest.csv, or a CSV file.", rich_help_panel=INPUT)]
Recipe = Annotated[
    Path | None,
    typer.Option(
        metavar="TOML",
        help="File with the training options below, and the ranges of the scenes.",
        show_default="the network's own",
        rich_help_panel=INPUT,
    ),
]
InitFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RUN|NAME",
        help="Run or model with the initial weights; for a duo, optionally two, one per member.",
        rich_help_panel=INPUT,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", metavar="DIR", help="Folder of the run.", show_default="runs/DATE", rich_help_panel=OUTPUT
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder that stores mixed windows for later runs (25 kB each).", rich_help_panel=OUTPUT
    ),
]
Net = Annotated[str | None, _training("NAME", "Network; `noisewatch models` lists them.", DEFAULT)]
Teacher = Annotated[
    list[str] | None, _training("NAME", "Teacher model for knowledge distillation (repeatable).", False)
]
Epochs = Annotated[int | None, _training("N", "Epochs; each ends with a validation.", min=1)]
Windows = Annotated[int | None, _training("N", "Windows per epoch.", "the recipe's, else 16000", min=1)]
Batch = Annotated[int | None, _training("N", "Windows per step.", "the recipe's, else 64", min=2)]
LearningRate = Annotated[float | None, _training("X", "Peak learning rate.")]
Precision = Annotated[str | None, _training("BITS", "32, bf16 or 16.", "the recipe's, else 32")]
Patience = Annotated[
    int | None,
    _training("N", "Early stopping after N epochs without improvement; 0: off.", "the recipe's, else never", min=0),
]
Seed = Annotated[
    int | None, _training("N", "Random seed of the run.", "the recipe's, else 0", min=0, max=2**32 - 1)
]
Workers = Annotated[int | None, _training("N", "Processes that mix windows.", "the recipe's, else 2", min=0)]
Devices = Annotated[int | None, _training("N", "GPUs or processes that share a batch.", "1", min=1)]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue the run in --out, if there is one.", rich_help_panel=ACTIONS)
]


@command(
    "noisewatch train data                                  # the default network",
    "noisewatch train data --net tcn --epochs 30 -o runs/mine",
    "noisewatch train data --net tcn --teacher duo          # distillation",
    "noisewatch train data --resume --epochs 50 -o runs/mine",
)
def train(
    data: Data = Path("data"),
    recipe: Recipe = None,
    init_from: InitFrom = None,
    out: Out = None,
    cache: Cache = None,
    net: Net = None,
    teacher: Teacher = None,
    epochs: Epochs = None,
    windows: Windows = None,
    batch: Batch = None,
    lr: LearningRate = None,
    precision: Precision = None,
    patience: Patience = None,
    seed: Seed = None,
    workers: Workers = None,
    devices: Devices = None,
    resume: Resume = False,
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
