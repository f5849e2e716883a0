"""`export-onnx`: a trained network as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import command, training
from .help import INPUT, OUTPUT

Run = Annotated[
    Path | None,
    typer.Argument(help="Folder of a run, or a checkpoint.", show_default="the newest", rich_help_panel=INPUT),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE",
        help="The ONNX file to write.",
        show_default="RUN/NET.onnx",
        rich_help_panel=OUTPUT,
    ),
]
Threshold = Annotated[
    float,
    typer.Option(
        "-t",
        "--threshold",
        metavar="P",
        help="Noise probability at or above which a window is noisy, for the card. Choose it on validation data.",
        rich_help_panel=OUTPUT,
    ),
]
Licence = Annotated[
    str,
    typer.Option(
        metavar="TEXT", help="Licence of the weights, for the card.", show_default="none", rich_help_panel=OUTPUT
    ),
]


WithFrontend = Annotated[
    bool,
    typer.Option(
        "--with-frontend",
        help="Include the front end: the file takes a waveform, for other programs. Streaming networks only.",
        rich_help_panel=OUTPUT,
    ),
]


@command(
    "noisewatch export-onnx runs/mine",
    "noisewatch export-onnx runs/mine -o mine.onnx -t 0.9 --licence MIT",
    name="export-onnx",
)
def export_onnx(
    run: Run = None,
    out: Out = None,
    threshold: Threshold = 0.5,
    licence: Licence = "",
    with_frontend: WithFrontend = False,
) -> None:
    """Export a trained network as one ONNX file.

    The file holds the model's card, too. Nothing is written unless the outputs of ONNX Runtime and torch agree to
    within 1e-4.
    """
    print(training("export").export(run, out, threshold=threshold, licence=licence, with_frontend=with_frontend))
