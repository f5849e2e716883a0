"""The command line: arguments, wiring, exit codes. Data goes to stdout, everything else to stderr."""

from . import (
    bench,
    calibrate,
    check,
    config,
    devices,
    doctor,
    evaluate,
    export,
    listen,
    mix,
    models,
    prepare,
    scan,
    train,
)
from .app import main

__all__ = [
    "bench", "calibrate", "check", "config", "devices", "doctor", "evaluate", "export", "listen", "main", "mix",
    "models", "prepare", "scan", "train",
]  # fmt: skip
