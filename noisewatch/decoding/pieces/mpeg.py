"""MP3s (MP1, MP2) joined end to end, found by their frames."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from ..file_bytes import CHUNK, NEAR
from ..mpeg_frames import FRAMES, Frame, frame_of
from ..tags import TAGS, past_tags, rest_of
from .layout import Layout, Span

SUFFIXES = {".mp3", ".mp2", ".mp1", ".mpga"}
SOONEST = 1 << 16  # bytes within which the first frame of a file with such a suffix must begin
SURPLUS = 3  # this many frames more than a table promises are a new piece; one or two are a miscount
LOOK = 160  # bytes of a frame that hold the beginning of its table

_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_TABLES = (b"Xing", b"Info")


def mpeg_layout(file: BinaryIO, suffix: str) -> Layout:
    """Return one span for each piece; a single span for a file that is not MPEG audio.

    A new piece begins with an encoder's table, with a frame of another format, or after the frames that a table
    promises. Tags may be anywhere. Without a suffix of MPEG audio, the first frame must begin at once, because
    a video may hold MP3 as well.
    """
    mpeg = _Scanner(file)
    size = mpeg.size
    start = past_tags(mpeg.look)
    at = mpeg.sync(start, min(size, start + (SOONEST if suffix in SUFFIXES else 1)))
    frame = mpeg.frame(at) if at >= 0 else None
    if frame is None:
        return Layout()
    spans: list[Span] = []
    piece = _Piece(mpeg, at, frame, begin=0)
    table = piece.table
    if piece.exact and table and table.size and mpeg.sync(at + table.size, size) < 0:
        # The common case: one piece, whose table gives its end. There is no need to walk its frames.
        return Layout((Span(0, size),), rest=rest_of(file, at + table.size, size))
    surplus, edge = 0, (0, 0)
    while True:
        if not piece.full:
            at, frame = mpeg.run(at, frame, piece)
        end = at + frame.length
        following = mpeg.frame(end)
        if following is None or (following.kind != frame.kind and not mpeg.confirmed(end, following)):
            # Tags, junk, or a frame that was cut where the next piece was appended.
            at = mpeg.sync(at + 4, size)
            following = mpeg.frame(at) if at >= 0 else None
            if following is None:
                return Layout((*spans, piece.span(size)), rest=rest_of(file, end, size))
            end = min(end, at)
        else:
            at = end
        previous, frame = frame, following
        if frame.kind != previous.kind or mpeg.table(at, frame):
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


@dataclass(frozen=True)
class _Table:
    """The totals that the encoder wrote into the first frame (Xing, Info, VBRI); 0 if it did not."""

    frames: int
    size: int  # bytes


class _Scanner:
    """Finds the frames of a file, which it reads in large parts."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size = file, file.seek(0, os.SEEK_END)
        self._data, self._start = b"", 0

    def look(self, at: int, size: int) -> bytes:
        """Return `size` bytes from offset `at`; fewer at the end of the file."""
        offset = at - self._start
        if offset < 0 or offset + size > len(self._data):
            self.file.seek(at)
            self._data, self._start, offset = self.file.read(max(CHUNK, size)), at, 0
        return self._data[offset : offset + size]

    def frame(self, at: int) -> Frame | None:
        """Return the frame whose header is at this offset."""
        return frame_of(int.from_bytes(self.look(at, 4), "big"))

    def run(self, at: int, frame: Frame, piece: _Piece) -> tuple[int, Frame]:
        """Skip the ordinary frames after a frame, within the part of the file in memory; return the last.

        The same as the loop of `mpeg_layout`, but fast: a file without a table has a million frames.
        """
        data, start, kind = self._data, self._start, frame.kind
        place, limit, side = at - start, len(self._data) - LOOK, frame.side
        left = piece.left
        while left:
            following = place + frame.length
            if not 0 <= following < limit:
                break
            found = frame_of(int.from_bytes(data[following : following + 4], "big"))
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

    def table(self, at: int, frame: Frame) -> _Table | None:
        """Return the table in a frame; None if it has none."""
        data = self.look(at, LOOK)
        for offset in (frame.side, frame.side + 2):  # without and with a checksum
            if data[offset : offset + 4] in _TABLES and len(data) >= offset + 16:
                flags, first, second = struct.unpack_from(">III", data, offset + 4)
                frames = first if flags & 1 else 0
                size = (second if flags & 1 else first) if flags & 2 else 0
                return _Table(frames, size)
        if data[36:40] == b"VBRI" and len(data) >= 54:
            size, frames = struct.unpack_from(">II", data, 46)
            return _Table(frames, size)
        return None

    def confirmed(self, at: int, frame: Frame) -> bool:
        """Whether two more frames of the same kind follow a frame, or tags, or the end of the file."""
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
        """Return the offset of the first confirmed frame that begins in [start, end); -1 if there is none."""
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


class _Piece:
    """A piece whose frames are being counted."""

    def __init__(self, mpeg: _Scanner, at: int, frame: Frame, *, begin: int) -> None:
        """at: its first frame; begin: its first byte, tags included."""
        self.table = mpeg.table(at, frame)
        self.exact = self.table is not None and self.table.frames > 0
        self._begin, self._at, self._first = begin, at, frame
        self._frames, self._varies = 0, False

    @property
    def full(self) -> bool:
        """Whether it has all frames that its table promises."""
        return self.exact and self.left <= 0

    @property
    def left(self) -> int:
        """How many promised frames have not come yet; -1 without a table."""
        return self.table.frames - self._frames if self.table is not None and self.exact else -1

    def add(self, frame: Frame) -> None:
        """Count one more frame."""
        self._frames += 1
        self._varies = self._varies or frame.kbit != self._first.kbit

    def span(self, end: int) -> Span:
        """Return its bytes; with a synthetic table before them if libsndfile would stop at an estimated length."""
        if self.exact or not self._varies or self._first.kind[1] != 3:
            return Span(self._begin, end, self.exact)
        return Span(self._at, end, exact=False, head=_made_table(self._first, self._frames))


def _made_table(first: Frame, frames: int) -> bytes:
    """Return a frame with a table that promises at least `frames` frames."""
    bits, frame = next((b, f) for b, f in FRAMES.items() if f.kind == first.kind and f.length >= first.side + 16)
    header = (0xFFE10000 | bits & 0x1EFE00 | (3 << 6 if bits & 1 << 6 else 0)).to_bytes(4, "big")
    table = b"Xing" + struct.pack(">II", 1, frames + 1000)
    return (header.ljust(first.side, b"\0") + table).ljust(frame.length, b"\0")
