"""The recordings that a file consists of, as byte ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """The bytes of one recording in a file."""

    start: int  # its first byte
    end: int  # the byte after its last
    exact: bool = True  # whether the length that libsndfile reports is known; otherwise it is an estimate
    short: float = 1.0  # the size in the header relative to the actual size
    head: bytes = b""  # bytes to read before the first byte


@dataclass(frozen=True)
class Layout:
    """The structure of a file, as far as it is known before decoding."""

    pieces: tuple[Span, ...] = (Span(0, 0),)  # `end` is used only if there are several
    loose: bool = False  # uncompressed audio that the header does not cover
    rest: int = 0  # bytes at the end that are neither decodable audio nor anything known
    cut: bool = False  # the file ends within a part of its container
    watched: bool = False  # only the decoder finds the end of the last recording
    unknown: bool = False  # MP3, or no known signature: mpg123 may decode it, and print
