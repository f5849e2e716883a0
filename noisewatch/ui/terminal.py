"""The consoles of all commands."""

from __future__ import annotations

import os
import sys
from typing import Any

from rich.console import Console


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A Rich console on stdout or stderr. Only a terminal gets bars, pictures and cursor codes.

    Rich takes FORCE_COLOR, which CI systems set, for a terminal; here it brings colour alone.
    """
    file = sys.stderr if stderr else sys.stdout
    seen = file is not None and file.isatty()
    if os.environ.get("FORCE_COLOR") and not seen:
        options.setdefault("color_system", "standard")
    return Console(stderr=stderr, force_terminal=seen, **options)
