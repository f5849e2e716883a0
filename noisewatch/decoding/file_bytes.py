"""Reads bytes of an open file at an offset, and searches it for a byte string."""

from __future__ import annotations

from typing import BinaryIO

CHUNK = 1 << 20  # bytes read at a time in a search
NEAR = 1 << 12  # bytes read first: most matches are near, and a hostile file causes many searches


def read_at(file: BinaryIO, at: int, size: int) -> bytes:
    """Return `size` bytes from offset `at`; fewer at the end of the file."""
    file.seek(at)
    return file.read(size)


def find_bytes(file: BinaryIO, start: int, mark: bytes) -> int:
    """Return the offset of the first `mark` from `start` on; -1 if there is none."""
    overlap = len(mark) - 1
    file.seek(start)
    data, step = b"", NEAR
    while more := file.read(step):
        data, step = data[-overlap:] + more, min(CHUNK, 2 * step)
        if (at := data.find(mark)) >= 0:
            return file.tell() - len(data) + at
    return -1
