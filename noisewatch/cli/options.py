"""Options that several commands have, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from .help import DETECTION, INPUT

Device = Annotated[
    str | None,
    typer.Option(
        "-d",
        "--device",
        metavar="NAME",
        envvar="NOISEWATCH_DEVICE",
        help="Microphone: its index, or a unique part of its name.",
        show_default="the system's",
        rich_help_panel=INPUT,
    ),
]
Channel = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        envvar="NOISEWATCH_CHANNEL",
        help="Channel, counted from 1.",
        show_default="microphone: the first; recording: the mean",
        rich_help_panel=INPUT,
    ),
]
RawRate = Annotated[
    int | None,
    typer.Option(
        metavar="HZ", help="The pipe carries raw s16le mono samples at this rate (Hz).", rich_help_panel=INPUT
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        envvar="NOISEWATCH_MODEL",
        help="Name of a shipped model, or an .onnx file.",
        rich_help_panel=DETECTION,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "-t",
        "--threshold",
        metavar="P",
        help="Noise probability from which a window is noisy, 0 to 1.",
        show_default="the calibration's, or the model's own",
        rich_help_panel=DETECTION,
    ),
]
