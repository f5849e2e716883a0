"""Finds the recordings that a file consists of.

libsndfile decodes the first and stops there, so each piece is passed to it separately, as a window on the file.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ..file_bytes import read_at
from ..headers.chunks import MAGIC
from ..signatures import search
from .flac import flac_layout
from .layout import Layout, Span
from .mpeg import mpeg_layout
from .ogg import ogg_layout
from .uncompressed import uncompressed_layout

MOST_PIECES = 10_000  # opening one takes a millisecond


def find_pieces(path: Path) -> Layout:
    """Return the layout of a file, with at most `MOST_PIECES` pieces. Raises OSError."""
    with path.open("rb") as file:
        layout = _found(file, path.suffix.lower())
        if len(layout.pieces) <= MOST_PIECES:
            return layout
        rest = file.seek(0, os.SEEK_END) - layout.pieces[MOST_PIECES].start
        return replace(layout, pieces=layout.pieces[:MOST_PIECES], rest=rest)


def _found(file: BinaryIO, suffix: str) -> Layout:
    magic = read_at(file, 0, 4)
    if magic in MAGIC:
        return uncompressed_layout(file)
    if magic == b"OggS":
        return ogg_layout(file)
    if magic == b"fLaC":
        return flac_layout(file)
    if magic in (b"Crea", b"NIST"):
        size = file.seek(0, os.SEEK_END)
        if (second := search(file, 4, size)) >= 0:
            return Layout((Span(0, second), Span(second, size)))
    return replace(mpeg_layout(file, suffix), unknown=True)
