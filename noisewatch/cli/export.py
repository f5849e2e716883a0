"""`export-onnx`: a trained network as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .base import command, training


@command(name="export-onnx")
def export_onnx(
    run: Annotated[
        Path | None, typer.Argument(help="A run's folder or a checkpoint.", show_default="the newest")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file.", show_default="RUN/NET.onnx")] = None,
    threshold: Annotated[float, typer.Option(help="Noise from this probability on, chosen on validation.")] = 0.5,
    licence: Annotated[str, typer.Option(help="Of the weights, for the card.")] = "",
) -> None:
    """Write a trained network as one ONNX file, once ONNX Runtime and torch agree on it."""
    print(training("export").export(run, out, threshold=threshold, licence=licence))
