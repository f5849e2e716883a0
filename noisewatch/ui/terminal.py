"""The Rich consoles that all commands use."""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A Rich console on stdout or stderr; options: passed to Rich. Only a terminal gets bars and cursor codes.

    Rich treats any output as a terminal if FORCE_COLOR is set, as CI systems do. Here it only enables colour.
    """
    file = sys.stderr if stderr else sys.stdout
    is_terminal = file is not None and file.isatty()
    if os.environ.get("FORCE_COLOR") and not is_terminal:
        options.setdefault("color_system", "standard")
    return Console(stderr=stderr, force_terminal=is_terminal, **options)
