"""FLAC streams joined end to end. They have no total length, so the next one is found by its signature."""

from __future__ import annotations

import os
import re
import struct
from itertools import pairwise
from typing import BinaryIO

from ..file_bytes import CHUNK
from .layout import Layout, Span

_STREAM = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22(.{14}).{20}", re.DOTALL)  # up to the end of STREAMINFO
_OVERLAP = 41  # bytes of a match, less one


def flac_layout(file: BinaryIO) -> Layout:
    """Return one span for each stream whose STREAMINFO is plausible."""
    starts: list[int] = []
    data, at = b"", 0
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    while more := file.read(CHUNK):
        data = data[-_OVERLAP:] + more
        at += len(more)
        for match in _STREAM.finditer(data):
            smallest, largest, rate = struct.unpack(">HH6xI", match[1])
            place = at - len(data) + match.start()
            if 16 <= smallest <= largest and rate >> 12 and (not starts or place > starts[-1]):
                starts.append(place)
    starts = [0, *(start for start in starts if start)]
    return Layout(tuple(Span(*pair) for pair in pairwise([*starts, size])), watched=True)
