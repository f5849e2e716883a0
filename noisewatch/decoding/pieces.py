"""Recordings made of several, one behind the other: where each begins and ends in a file.

libsndfile reads the first and calls that the end. Each piece is given to it alone, as a window on the file.
"""

from __future__ import annotations

import os
import re
import struct
import weakref
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from . import pcm
from .magic import FRAMES, TAGS, Frame, begins, part, past_tags, rest_of, search

MOST_PIECES = 10_000  # that are judged; opening each costs a millisecond
CHUNK = 1 << 20  # bytes read at a time in a search
NEAR = 1 << 12  # and at first: most ends are near, and a hostile file has many of them

_STREAM = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22(.{14}).{20}", re.DOTALL)  # with STREAMINFO
PAGE = struct.Struct("<4sBBqIIIB")  # of Ogg: capture, version, flags, granule, serial, sequence, sum, segments
BEGIN, END = 2, 4  # flags of a page


class Span(NamedTuple):
    """A piece of a file."""

    start: int  # its first byte
    end: int  # the byte behind its last
    exact: bool = True  # whether the length that libsndfile tells of it is known, and not estimated
    short: float = 1.0  # the size that its header promises, over the size that is there
    head: bytes = b""  # to be read in front of it


@dataclass(frozen=True)
class Layout:
    """What the structure of a file tells before anything is decoded."""

    pieces: tuple[Span, ...] = (Span(0, 0),)  # the end counts where there are several
    loose: bool = False  # uncompressed audio that its header does not cover
    rest: int = 0  # bytes at the end that are neither audio that can be read nor anything known
    cut: bool = False  # it ends in the middle of something
    watched: bool = False  # only the decoder finds out where it ends
    unknown: bool = False  # MP3, or nothing that is known by its first bytes


def examine(path: Path) -> Layout:
    """The layout of a file. Raises OSError."""
    with path.open("rb") as file:
        layout = _examined(file, path.suffix.lower())
        if len(layout.pieces) <= MOST_PIECES:
            return layout
        rest = file.seek(0, os.SEEK_END) - layout.pieces[MOST_PIECES].start
        return replace(layout, pieces=layout.pieces[:MOST_PIECES], rest=rest)


def _examined(file: BinaryIO, suffix: str) -> Layout:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(4)
    file.seek(0)
    if magic in pcm.MAGIC:
        return _uncompressed(file, size)
    if magic == b"OggS":
        return _ogg(file, size)
    if magic == b"fLaC":
        return Layout(_flac(file, size), watched=True)
    if magic in (b"Crea", b"NIST") and (second := search(file, 4, size)) >= 0:
        return Layout((Span(0, second), Span(second, size)))
    return replace(_mpeg(file, size, within=SOONEST if suffix in MPEG else 1), unknown=True)


class Window:
    """A part of a file as a file of its own, for libsndfile."""

    def __init__(self, file: BinaryIO, span: Span) -> None:
        self._file, self._head = file, span.head
        self._start = span.start - len(span.head)
        self._size = span.end - self._start
        self._at = 0
        self.left = span.end - span.start  # bytes that nobody asked for yet
        self.close = weakref.finalize(self, file.close)

    def read(self, size: int) -> bytes:
        data = self._head[self._at : self._at + size]
        more = min(size, self._size - self._at) - len(data)
        if more > 0:
            self._file.seek(self._start + self._at + len(data))
            data += self._file.read(more)
        self._at += len(data)
        self.left = min(self.left, self._size - self._at)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = 0 if whence == os.SEEK_SET else self._at if whence == os.SEEK_CUR else self._size
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def _uncompressed(file: BinaryIO, size: int) -> Layout:
    """WAV and its kin: what the sizes in the header say, and what stands behind."""
    spans: list[Span] = []
    begin, again = 0, False
    first: pcm.Header | None = None
    while True:
        file.seek(begin)
        header = pcm.read_header(file.read)
        start = file.tell()
        first = first or header
        if header is not None and header.made_up(size - start):
            header = replace(header, size=None)
        if header is None or header.size is None or header.unfinished:
            break
        end = start + header.size
        if not begins(lambda at, most, end=end: part(file, end + at, most)):  # type: ignore[misc]
            end += header.padding
        while end < size:  # the chunks behind the audio
            file.seek(end)
            again = again or (file.read(4) == b"data" and header.container == "WAV")
            file.seek(end)
            length = pcm.chunk_length(header.container, file.read)
            if not length or end + length > size + 1:
                break
            end += length
        file.seek(end)
        if file.read(4) not in pcm.MAGIC:
            break
        spans.append(Span(begin, end))
        begin = end
    if header is None:
        return Layout((*spans, Span(begin, size)))
    rest = max(0, size - start)  # bytes from the beginning of the audio on
    assert first is not None
    alike = header.like(first)  # so that all can be read as one
    if again:
        return Layout(loose=True) if alike else Layout((*spans, Span(begin, size)), rest=rest)
    file.seek(start)
    if header.unfinished:
        some = rest > 0 and file.read(4) not in pcm.OTHER_CHUNKS
        if spans or header.coding is None:
            return Layout((*spans, Span(begin, size)), rest=rest if some else 0)
        return Layout(loose=some)
    if header.size is None:
        # libsndfile reads all of a WAV.
        return Layout((*spans, Span(begin, size)), loose=alike and (header.container != "WAV" or not spans))
    alone = header.coding is not None and not spans
    if end < size and begins(lambda at, most: part(file, end + at, most)):
        return Layout((*spans, Span(begin, size)), loose=alike, rest=0 if alike else size - end)
    if size - end >= header.junk:
        file.seek(end)
        if file.read(header.junk).strip(b"\0"):
            return Layout((*spans, Span(begin, size)), loose=alone, rest=0 if alone else size - end)
    if header.container == "W64" and alone and size > end:
        return Layout(loose=True)  # libsndfile takes what stands behind the audio for audio
    if header.container in ("W64", "CAF") and alike and header.size > rest:
        return Layout(loose=True)  # libsndfile refuses one that is cut off
    return Layout((*spans, Span(begin, min(size, end), short=max(1.0, header.size / max(1, rest)))))


def _ogg(file: BinaryIO, size: int) -> Layout:
    """A chain: each link begins with pages that say so, and what follows them does not."""
    spans: list[Span] = []
    at, begin, behind, in_head = 0, 0, 0, True
    open_streams, ended = set[int](), set[int]()
    while at < size:
        file.seek(at)
        head = file.read(PAGE.size)
        if not head.startswith(b"OggS") or len(head) < PAGE.size:
            at = _search(file, at + 1, b"OggS")
            if at < 0:
                break
            continue
        _, _, flags, _, serial, _, _, segments = PAGE.unpack(head)
        first = bool(flags & BEGIN)
        # A link whose beginning is lost is a link that can't be read.
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
        at = behind = at + PAGE.size + segments + sum(file.read(segments))
    return Layout((*spans, Span(begin, size)), rest=rest_of(file, behind, size), cut=behind > size)


def _flac(file: BinaryIO, size: int) -> tuple[Span, ...]:
    """Streams one behind the other: only a search finds where the next begins."""
    starts: list[int] = []
    data, at, overlap = b"", 0, 41
    file.seek(0)
    while more := file.read(CHUNK):
        data = data[-overlap:] + more
        at += len(more)
        for match in _STREAM.finditer(data):
            smallest, largest, rate = struct.unpack(">HH6xI", match[1])
            place = at - len(data) + match.start()
            if 16 <= smallest <= largest and rate >> 12 and (not starts or place > starts[-1]):
                starts.append(place)
    starts = [0, *(start for start in starts if start)]
    return tuple(Span(*pair) for pair in pairwise([*starts, size]))


def _search(file: BinaryIO, start: int, mark: bytes) -> int:
    """Where a mark begins from `start` on; -1 where it does not."""
    keep = len(mark) - 1
    file.seek(start)
    data, step = b"", NEAR
    while more := file.read(step):
        data, step = data[-keep:] + more, min(CHUNK, 2 * step)
        if (at := data.find(mark)) >= 0:
            return file.tell() - len(data) + at
    return -1


_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_TABLES = (b"Xing", b"Info")
LOOK = 160  # bytes from the start of a frame that hold the beginning of its table, if it has one
MPEG = {".mp3", ".mp2", ".mp1", ".mpga"}
SOONEST = 1 << 16  # bytes in which the first frame of these has to begin; a video may hold MP3 as well
SURPLUS = 3  # frames more than a table promises are another piece; one or two were counted badly


@dataclass(frozen=True)
class Table:
    """What an encoder wrote into the first frame about the whole; 0 where it did not."""

    frames: int
    size: int  # bytes


class _Mpeg:
    """MPEG audio by its frames, from a file that is read in large parts."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        self._data, self._start = b"", 0

    def look(self, at: int, size: int) -> bytes:
        """Some bytes of the file, fewer at its end."""
        offset = at - self._start
        if offset < 0 or offset + size > len(self._data):
            self.file.seek(at)
            self._data, self._start, offset = self.file.read(max(CHUNK, size)), at, 0
        return self._data[offset : offset + size]

    def frame(self, at: int) -> Frame | None:
        """The frame whose header stands there."""
        bits = int.from_bytes(self.look(at, 4), "big")
        if bits >> 21 != 0x7FF:
            return None
        return FRAMES.get((bits & 0x1EFE00) | (bits >> 6 & 3 == 3) << 6)

    def run(self, at: int, frame: Frame, piece: _Piece) -> tuple[int, Frame]:
        """The last of those frames behind one that are ordinary and in the same part of the file; they are counted.

        What the caller does with each, done fast: a file without a table has a million of them.
        """
        data, start, kind = self._data, self._start, frame.kind
        place, limit, side = at - start, len(self._data) - LOOK, frame.side
        left = piece.left
        while left:
            following = place + frame.length
            if not 0 <= following < limit:
                break
            bits = int.from_bytes(data[following : following + 4], "big")
            found = FRAMES.get((bits & 0x1EFE00) | (bits >> 6 & 3 == 3) << 6) if bits >> 21 == 0x7FF else None
            if found is None or found.kind != kind:
                break
            if data[following + side : following + side + 4] in _TABLES:
                break
            if data[following + side + 2 : following + side + 6] in _TABLES:
                break
            if data[following + 36 : following + 40] == b"VBRI":
                break
            place, frame = following, found
            left -= 1
            piece.add(found)
        return start + place, frame

    def table(self, at: int, frame: Frame) -> Table | None:
        """The table in a frame."""
        data = self.look(at, LOOK)
        for offset in (frame.side, frame.side + 2):  # with a checksum
            if data[offset : offset + 4] in _TABLES and len(data) >= offset + 16:
                flags, first, second = struct.unpack_from(">III", data, offset + 4)
                frames = first if flags & 1 else 0
                size = (second if flags & 1 else first) if flags & 2 else 0
                return Table(frames, size)
        if data[36:40] == b"VBRI" and len(data) >= 54:
            size, frames = struct.unpack_from(">II", data, 46)
            return Table(frames, size)
        return None

    def confirmed(self, at: int, frame: Frame) -> bool:
        """Whether two more of the kind follow, or the end."""
        for _ in range(2):
            at += frame.length
            if at == self.size or self.look(at, 12).startswith(TAGS):
                return True
            following = self.frame(at)
            if following is None or following.kind != frame.kind:
                return False
            frame = following
        return True

    def sync(self, start: int, end: int) -> int:
        """Where the first confirmed frame begins; -1 where there is none."""
        at, step = start, NEAR
        while at < end:
            data = self.look(at, step)
            step = min(CHUNK, 2 * step)
            for match in _SYNC.finditer(data):
                place = at + match.start()
                if place >= end:
                    return -1
                frame = self.frame(place)
                if frame is not None and self.confirmed(place, frame):
                    return place
            at += max(1, len(data) - 1)
        return -1


def _mpeg(file: BinaryIO, size: int, *, within: int) -> Layout:
    """MP3 and its kin: a new piece begins with a table of the encoder, in another format, or where the frames that
    a table promises are used up. Tags may stand anywhere. What is no MPEG audio is one piece."""
    mpeg = _Mpeg(file, size)
    start = past_tags(mpeg.look)
    at = mpeg.sync(start, min(size, start + within))
    frame = mpeg.frame(at) if at >= 0 else None
    if frame is None:
        return Layout()
    spans: list[Span] = []
    piece = _Piece(mpeg, at, frame, begin=0)
    table = piece.table
    if piece.exact and table and table.size and mpeg.sync(at + table.size, size) < 0:
        # The usual one: nothing has to be walked.
        return Layout((Span(0, size),), rest=rest_of(file, at + table.size, size))
    surplus, edge = 0, (0, 0)
    while True:
        if not piece.full:
            at, frame = mpeg.run(at, frame, piece)
        end = at + frame.length
        following = mpeg.frame(end)
        if following is None or (following.kind != frame.kind and not mpeg.confirmed(end, following)):
            # Tags, junk, or a frame that was cut where the next piece was put behind it.
            at = mpeg.sync(at + 4, size)
            following = mpeg.frame(at) if at >= 0 else None
            if following is None:
                return Layout((*spans, piece.span(size)), rest=rest_of(file, end, size))
            end = min(end, at)
        else:
            at = end
        before, frame = frame, following
        if frame.kind != before.kind or mpeg.table(at, frame):
            spans.append(piece.span(end))
            piece, surplus = _Piece(mpeg, at, frame, begin=at), 0
            continue
        if piece.full:
            edge = edge if surplus else (end, at)
            surplus += 1
            if surplus == SURPLUS:
                spans.append(piece.span(edge[0]))
                piece, surplus = _Piece(mpeg, edge[1], frame, begin=edge[1]), 0
        piece.add(frame)


class _Piece:
    """A piece of MPEG audio while its frames are counted."""

    def __init__(self, mpeg: _Mpeg, at: int, frame: Frame, *, begin: int) -> None:
        self.table = mpeg.table(at, frame)
        self.exact = self.table is not None and self.table.frames > 0
        self._begin, self._at, self._first = begin, at, frame
        self._frames, self._varies = 0, False

    @property
    def full(self) -> bool:
        """Whether all frames that the table promises were there."""
        return self.exact and self.left <= 0

    @property
    def left(self) -> int:
        """Frames that the table still promises; -1 where there is none."""
        return self.table.frames - self._frames if self.table is not None and self.exact else -1

    def add(self, frame: Frame) -> None:
        """One more frame."""
        self._frames += 1
        self._varies = self._varies or frame.kbit != self._first.kbit

    def span(self, end: int) -> Span:
        """The piece, with a table in front where libsndfile would stop at a length that it estimates."""
        if self.exact or not self._varies or self._first.kind[1] != 3:
            return Span(self._begin, end, self.exact)
        return Span(self._at, end, exact=False, head=_made_table(self._first, self._frames))


def _made_table(first: Frame, frames: int) -> bytes:
    """A frame that promises at least so many frames to follow."""
    bits, frame = next((b, f) for b, f in FRAMES.items() if f.kind == first.kind and f.length >= first.side + 16)
    header = (0xFFE10000 | bits & 0x1EFE00 | (3 << 6 if bits & 1 << 6 else 0)).to_bytes(4, "big")
    table = b"Xing" + struct.pack(">II", 1, frames + 1000)
    return (header.ljust(first.side, b"\0") + table).ljust(frame.length, b"\0")
