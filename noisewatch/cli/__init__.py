"""The command line: arguments, wiring, exit codes. Data goes to stdout, everything else to stderr."""

from . import calibrate, check, config, listen, scan, training
from .base import main

__all__ = ["calibrate", "check", "config", "listen", "main", "scan", "training"]
