"""The command line: arguments, wiring, exit codes. Data goes to stdout, everything else to stderr."""

from . import calibrate, check, config, devices, doctor, evaluate, export, listen, models, prepare, scan, train
from .app import main

__all__ = [
    "calibrate", "check", "config", "devices", "doctor", "evaluate", "export", "listen", "main", "models",
    "prepare", "scan", "train",
]  # fmt: skip
