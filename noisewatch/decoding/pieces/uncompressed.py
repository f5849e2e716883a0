"""WAV, W64, AIFF, AU and CAF files joined end to end, or with audio that their header does not cover."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from ..file_bytes import read_at
from ..headers.chunks import MAGIC, OTHER_CHUNKS, chunk_length
from ..headers.header import Header
from ..headers.reader import read_header
from ..signatures import begins
from .layout import Layout, Span


class _Last(NamedTuple):
    """The last recording of a file, and those before it."""

    header: Header | None  # None if it cannot be parsed
    begin: int  # its first byte
    start: int  # the first byte of its audio
    end: int  # the end of its chunks, if the header knows the size
    before: tuple[Span, ...]
    first: Header | None  # of the file
    repeated: bool  # whether any recording has a second `data` chunk


def uncompressed_layout(file: BinaryIO) -> Layout:
    """Return the recordings by the sizes in their headers, and the data after the last."""
    size = file.seek(0, os.SEEK_END)
    last = _last(file, size)
    header, before, begin, start = last.header, last.before, last.begin, last.start
    if header is None:
        return Layout((*before, Span(begin, size)))
    rest = max(0, size - start)  # bytes from the first byte of audio on
    assert last.first is not None
    uniform = header.matches(last.first)  # so all of it can be read as one stream
    if last.repeated:
        return Layout(loose=True) if uniform else Layout((*before, Span(begin, size)), rest=rest)
    if header.unfinished:
        audio = rest > 0 and read_at(file, start, 4) not in OTHER_CHUNKS
        if before or header.coding is None:
            return Layout((*before, Span(begin, size)), rest=rest if audio else 0)
        return Layout(loose=audio)
    if header.size is None:
        # libsndfile reads a WAV to its end.
        return Layout((*before, Span(begin, size)), loose=uniform and (header.container != "WAV" or not before))
    return _of_known_size(file, size, last, header, header.size, uniform)


def _last(file: BinaryIO, size: int) -> _Last:
    """Walk from header to header."""
    spans: list[Span] = []
    begin, end, repeated = 0, 0, False
    first: Header | None = None
    while True:
        file.seek(begin)
        header = read_header(file.read)
        start = file.tell()
        first = first or header
        if header is not None and header.is_placeholder(size - start):
            header = replace(header, size=None)
        if header is None or header.size is None or header.unfinished:
            break
        end, data = _after_audio(file, header, start + header.size, size)
        repeated = repeated or data
        if read_at(file, end, 4) not in MAGIC:
            break
        spans.append(Span(begin, end))
        begin = end
    return _Last(header, begin, start, end, tuple(spans), first, repeated)


def _after_audio(file: BinaryIO, header: Header, end: int, size: int) -> tuple[int, bool]:
    """Return where the padding and the chunks after the audio end, and whether one of them is `data` of a WAV."""
    repeated = False
    if not _begins_at(file, end):
        end += header.padding
    while end < size:
        repeated = repeated or (read_at(file, end, 4) == b"data" and header.container == "WAV")
        file.seek(end)
        length = chunk_length(header.container, file.read)
        if not length or end + length > size + 1:
            break
        end += length
    return end, repeated


def _of_known_size(file: BinaryIO, size: int, last: _Last, header: Header, promised: int, uniform: bool) -> Layout:
    """The layout if the last header gives the size of its audio."""
    before, begin, end = last.before, last.begin, last.end
    rest = max(0, size - last.start)
    alone = header.coding is not None and not before
    if end < size and _begins_at(file, end):
        return Layout((*before, Span(begin, size)), loose=uniform, rest=0 if uniform else size - end)
    if size - end >= header.junk_limit and read_at(file, end, header.junk_limit).strip(b"\0"):
        return Layout((*before, Span(begin, size)), loose=alone, rest=0 if alone else size - end)
    if header.container == "W64" and alone and size > end:
        return Layout(loose=True)  # libsndfile would decode the data after the audio
    if header.container in ("W64", "CAF") and uniform and promised > rest:
        return Layout(loose=True)  # libsndfile refuses a truncated one
    return Layout((*before, Span(begin, min(size, end), short=max(1.0, promised / max(1, rest)))))


def _begins_at(file: BinaryIO, end: int) -> bool:
    return begins(lambda at, most: read_at(file, end + at, most))
