"""Options that several commands share, each declared once.

`Device`, `Channel` (for `listen`: `Devices`, `Channels`) and `ConfiguredModel` have a variable, so that environment
and file can set them; commands that judge recordings take no configuration.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .help import DETECTION, INPUT


def _channel(default: str, envvar: str | None = None, more: str = "") -> Any:
    what = f"Channel, counted from 1{more}."
    return typer.Option(
        "--channel", metavar="N", envvar=envvar, help=what, show_default=default, rich_help_panel=INPUT
    )


def _device(more: str = "") -> Any:
    return typer.Option(
        "-d",
        "--device",
        metavar="NAME",
        envvar="NOISEWATCH_DEVICE",
        help=f"Microphone: its index, or a unique part of its name{more}.",
        show_default="the system's",
        rich_help_panel=INPUT,
    )


def _model(envvar: str | None = None) -> Any:
    what = "Name of a shipped model, or an .onnx file."
    return typer.Option("-m", "--model", metavar="NAME", envvar=envvar, help=what, rich_help_panel=DETECTION)


def _threshold(default: str) -> Any:
    what = "Noise probability at or above which a window is noisy, 0.05 to 0.99."
    return typer.Option(
        "-t", "--threshold", metavar="P", help=what, show_default=default, rich_help_panel=DETECTION
    )


# Commands with one input parse lists, too, for `arguments.only` to refuse: the file may hold several for `listen`.
_FIRST = "microphone: the first; recording: the mean"
Device = Annotated[list[str] | None, _device()]
Devices = Annotated[list[str] | None, _device(" (repeatable)")]
Channel = Annotated[list[int] | None, _channel(_FIRST, "NOISEWATCH_CHANNEL")]
Channels = Annotated[list[int] | None, _channel(_FIRST, "NOISEWATCH_CHANNEL", " (repeatable)")]
RecordingChannel = Annotated[int | None, _channel("mean of all")]
RawRate = Annotated[
    int | None,
    typer.Option(
        metavar="HZ", help="The pipe carries raw s16le mono samples at this rate (Hz).", rich_help_panel=INPUT
    ),
]
ConfiguredModel = Annotated[str, _model("NOISEWATCH_MODEL")]
Model = Annotated[str, _model()]
CalibratedThreshold = Annotated[float | None, _threshold("the calibration's, or the model's own")]
Threshold = Annotated[float | None, _threshold("the model's own")]
