"""Chained Ogg (Vorbis, Opus, FLAC): links joined end to end.

Each link begins with pages that carry the `begin` flag (RFC 3533); the pages after them do not.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from ..file_bytes import find_bytes, read_at
from ..tags import rest_of
from .layout import Layout, Span

PAGE = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, checksum, segments
BEGIN, END = 2, 4  # flags


def ogg_layout(file: BinaryIO) -> Layout:
    """Return one span for each link of a chain."""
    spans: list[Span] = []
    at, begin, after, in_head = 0, 0, 0, True
    open_streams, ended = set[int](), set[int]()
    size = file.seek(0, os.SEEK_END)
    while at < size:
        head = read_at(file, at, PAGE.size)
        if not head.startswith(b"OggS") or len(head) < PAGE.size:
            at = find_bytes(file, at + 1, b"OggS")
            if at < 0:
                break
            continue
        _, _, flags, _, serial, _, _, segments = PAGE.unpack(head)
        first = bool(flags & BEGIN)
        # A link whose first pages are missing is a separate piece, which cannot be decoded.
        lost = not first and (serial not in open_streams or open_streams == ended)
        if (first and not in_head) or (lost and begin < at):
            spans.append(Span(begin, at))
            begin = at
            open_streams, ended = set(), set()
        if first or lost:
            open_streams.add(serial)
        if flags & END:
            ended.add(serial)
        in_head = first
        at = after = at + PAGE.size + segments + sum(file.read(segments))
    return Layout((*spans, Span(begin, size)), rest=rest_of(file, after, size), cut=after > size)
