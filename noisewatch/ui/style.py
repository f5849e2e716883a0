"""Colours and building blocks that the meter and the countdown share."""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

Line = list[Segment]

FRAMES_PER_S = 6  # the rate at which a terminal is redrawn
LABEL = 7  # cells of the column of labels
MAX_WIDTH = 100  # cells of a meter

DIM = Style.parse("dim")
BOLD = Style.parse("bold")
COLOURS = {  # by verdict
    "clean": Style.parse("green"),
    "maybe": Style.parse("color(214)"),
    "noisy": Style.parse("red"),
    "unknown": Style.parse("yellow"),
}

LEVEL_FLOOR_DBFS = -70.0  # the left end of the level bar

_TO_ASCII = str.maketrans(dict(zip("░▒▓█▁▂▃▄▅▆▇·…", ".:*#__.--==.~", strict=True)))


def title(right: str, width: int) -> Line:
    """The first line of a meter: the program's name, and what is listened to."""
    right = set_cell_size(right, width - 12) if cell_len(right) > width - 12 else right
    return [Segment("noisewatch", BOLD), Segment(" " * max(1, width - 10 - cell_len(right))), Segment(right, DIM)]


def level_bar(level_dbfs: float | None, cells: int) -> Line:
    """A level from -70 dBFS to full scale as a bar of this many cells, with its number."""
    level = LEVEL_FLOOR_DBFS if level_dbfs is None else level_dbfs
    full = int(np.clip((1 - level / LEVEL_FLOOR_DBFS) * cells, 0, cells))
    number = "  -  dBFS" if level_dbfs is None else f"{level_dbfs:5.0f} dBFS"
    return [label("level"), Segment("█" * full), Segment("·" * (cells - full), DIM), Segment(number)]


def label(text: str = "") -> Segment:
    """The label at the start of a line, padded to the width of the column."""
    return Segment(text.ljust(LABEL), DIM)


def to_ascii(line: Line) -> Line:
    """The line for a terminal without Unicode."""
    return [Segment(s.text.translate(_TO_ASCII).encode("ascii", "replace").decode(), s.style) for s in line]
