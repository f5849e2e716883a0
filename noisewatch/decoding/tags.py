"""Metadata tags around recordings (ID3, APE, Lyrics3), and whether bytes after the end are only tags or padding."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from .file_bytes import read_at

TAGS = (b"ID3", b"APETAGEX", b"LYRICSBEGIN", b"TAG")
MOST_TAGS = 1 << 26  # bytes
JUNK = 512  # bytes after the end that are too few to matter
ZEROS = 1 << 16  # bytes of padding after the end: a disk cluster

Look = Callable[[int, int], bytes]  # returns `size` bytes from offset `at`, fewer at the end


def past_tags(look: Look, at: int = 0) -> int:
    """Return the offset at which the tags at `at` end; `at` itself if there are none."""
    most = at + MOST_TAGS
    while at < most:
        head = look(at, 32)
        if head.startswith(b"ID3") and len(head) >= 10:
            size = 0
            for byte in head[6:10]:
                size = size << 7 | byte & 0x7F
            at += 10 + size + (10 if head[5] & 0x10 else 0)
        elif head.startswith(b"APETAGEX") and len(head) == 32:
            size, flags = struct.unpack_from("<I4xI", head, 12)
            at += max(32, min(size, MOST_TAGS) + (32 if flags >> 31 else 0))
        elif head.startswith(b"LYRICSBEGIN"):
            body = look(at, 1 << 16)
            end = max(body.find(b"LYRICS200"), body.find(b"LYRICSEND"))
            at += end + 9 if end > 0 else len(body)
        elif head.startswith(b"TAG"):
            at += 128
        else:
            break
    return at


def rest_of(file: BinaryIO, end: int, size: int) -> int:
    """Return how many bytes after the end of a recording, in a file of `size` bytes, may be audio.

    Tags, padding and a few stray bytes count as 0.
    """
    start = past_tags(lambda at, most: read_at(file, at, most), end)
    if size - start < JUNK:
        return 0
    return size - start if size - start >= ZEROS or read_at(file, start, ZEROS).strip(b"\0") else 0
