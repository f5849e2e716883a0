"""Options that several commands have. Each is declared once; command line, environment and file all fill it."""

from __future__ import annotations

from typing import Annotated

import typer

from .help import DETECTION, INPUT

Device = Annotated[
    str | None,
    typer.Option(
        "-d",
        "--device",
        envvar="NOISEWATCH_DEVICE",
        help="Microphone: its index, or a unique part of its name.",
        show_default="the system's",
        rich_help_panel=INPUT,
    ),
]
Channel = Annotated[
    int | None,
    typer.Option(
        envvar="NOISEWATCH_CHANNEL",
        help="Channel, counted from 1.",
        show_default="microphone: the first; recording: the mean",
        rich_help_panel=INPUT,
    ),
]
RawRate = Annotated[
    int | None,
    typer.Option(help="Sample rate in Hz of a pipe with raw s16le mono samples.", rich_help_panel=INPUT),
]
ModelName = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        envvar="NOISEWATCH_MODEL",
        help="Name of a shipped model, or an .onnx file.",
        rich_help_panel=DETECTION,
    ),
]
