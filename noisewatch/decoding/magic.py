"""What recordings begin with, and where another one begins behind the first."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

Look = Callable[[int, int], bytes]  # so many bytes from an offset on, fewer at the end

# Long enough not to be met by chance in a gigabyte of other data.
_BEGINNING = re.compile(
    rb"fLaC[\x00\x80]\x00\x00\x22"
    rb"|OggS\x00[\x02\x06]\x00{8}"
    rb"|RIFF.{4}(?:WAVE|AVI )|(?:RIFX|RF64|BW64).{4}WAVE|riff\x2e\x91\xcf\x11"
    rb"|FORM.{4}(?:AIFF|AIFC|8SVX|16SV)"
    rb"|\.snd\x00\x00.{9}[\x01-\x1b]\x00|dns\..{2}\x00\x00.{4}[\x01-\x1b]\x00\x00\x00"
    rb"|caff\x00\x01\x00\x00"
    rb"|\x00\x00\x00[\x08-\xff]ftyp"
    rb"|0&\xb2u\x8ef\xcf\x11\xa6\xd9"
    rb"|FLV\x01[\x01\x04\x05]\x00\x00\x00\x09"
    rb"|TTA1[\x01-\x03]\x00.\x00.\x00"
    rb"|\x1aE\xdf\xa3.{1,8}B[\x86\x82\xf2\xf3\xf7]"
    rb"|#!AMR(?:-WB)?\n|MAC [\x80-\xff]\x0f|wvpk.{3}\x00[\x02-\x10]\x04"
    rb"|Creative Voice File\x1a|NIST_1A\n",
    re.DOTALL,
)
# The first two bytes of each, but for the box, of which these are the fifth and sixth.
_PAIRS = np.zeros(1 << 16, bool)
_PAIRS[np.frombuffer(b"fLOgRIRFBWriFO.sdncaft0&FLTT\x1aE#!MAwvCrNI", "<u2")] = True
LONGEST = 32  # bytes of any of these
PAGE = 27 + 255  # bytes of the longest head of a part: a page of Ogg
TAGS = (b"ID3", b"APETAGEX", b"LYRICSBEGIN", b"TAG")
JUNK = 512  # bytes that may stand behind the end and mean nothing in any case
ZEROS = 1 << 16  # and bytes of nothing but zeros: a disk's cluster
UNKNOWN = 1 << 48  # bytes: a length beyond it is none, or was not known
MOST_TAGS = 1 << 26  # bytes
NEAR = 1 << 20  # bytes behind an end in which frames without a header of their own are looked for
CHUNK = 1 << 20
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_ADTS_MOST = 1 << 13  # bytes of a frame

# MPEG audio: kbit/s by version (1; 2 and 2.5) and layer, Hz by version.
_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True)
class Frame:
    """A frame of MPEG audio, by its header."""

    length: int  # bytes
    kbit: int  # per second
    kind: tuple[int, int, int, bool]  # version, layer, rate, mono: the same throughout a piece

    @property
    def side(self) -> int:
        """Bytes of header and side information, behind which an encoder's own table stands."""
        version, _, _, mono = self.kind
        return 4 + ((17 if mono else 32) if version == 3 else (9 if mono else 17))


def _frames_by_header() -> dict[int, Frame]:
    """Every valid header by its bits, without those that say nothing of length or kind."""
    found: dict[int, Frame] = {}
    for version, rates in _RATES.items():
        for layer in (1, 2, 3):
            kbits = _KBITS[1 if version == 3 else 2, layer]
            for number, rate in enumerate(rates):
                for index, kbit in enumerate(kbits, 1):
                    for padding in (0, 1):
                        if layer == 1:
                            length = (12_000 * kbit // rate + padding) * 4
                        else:
                            factor = 72_000 if layer == 3 and version != 3 else 144_000
                            length = factor * kbit // rate + padding
                        for mono in (False, True):
                            bits = version << 19 | (4 - layer) << 17 | index << 12 | number << 10 | padding << 9
                            found[bits | mono << 6] = Frame(length, kbit, (version, layer, rate, mono))
    return found


FRAMES = _frames_by_header()


def past_tags(look: Look, at: int = 0) -> int:
    """Where the tags that stand there end."""
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


def begins(look: Look) -> bool:
    """Whether a recording begins there, tags in front of it or not."""
    at = past_tags(look) if look(0, 3) in (b"ID3", b"APE", b"TAG") else 0
    if at > MOST_TAGS:
        return False
    head = look(at, LONGEST)
    return bool(_BEGINNING.match(head)) or (head[:1] == b"\xff" and _frames(look(at, 3 * _ADTS_MOST), 0))


def _frames(data: bytes, at: int) -> bool:
    """Whether three frames of MPEG audio or of AAC follow each other there."""
    kinds: set[tuple[int, ...]] = set()
    for _ in range(3):
        bits = int.from_bytes(data[at : at + 4], "big")
        frame = FRAMES.get((bits & 0x1EFE00) | (bits >> 6 & 3 == 3) << 6) if bits >> 21 == 0x7FF else None
        if frame is not None:
            kinds.add(frame.kind)
            at += frame.length
            continue
        # ADTS: 12 bits of sync, a layer of 0, one of 13 rates.
        long = int.from_bytes(data[at : at + 6], "big")
        length = long >> 5 & 0x1FFF
        if bits >> 20 != 0xFFF or bits >> 17 & 3 or bits >> 10 & 0xF > 12 or length < 7:
            return False
        kinds.add((bits >> 10 & 0x3F,))
        at += length
    return len(kinds) == 1


def search(file: BinaryIO, start: int, size: int, *, frames: bool = True) -> int:
    """Where the first recording begins in a part of a file; -1 where none does.

    frames: look near the start for MPEG and AAC without a header as well.
    """
    file.seek(start)
    if frames:
        data = file.read(min(NEAR, size - start))
        for match in _SYNC.finditer(data):
            if _frames(data, match.start()):
                return start + match.start()
        file.seek(start)
    data, at = b"", start
    while at < size and (more := file.read(min(CHUNK, size - at))):
        data = data[-LONGEST:] + more
        at += len(more)
        if (found := _first(data)) >= 0:
            return at - len(data) + found
    return -1


def rest_of(file: BinaryIO, start: int, size: int) -> int:
    """Bytes behind the end that are neither tag nor padding, where they may have been audio."""
    start = past_tags(lambda at, most: part(file, at, most), start)
    if size - start < JUNK:
        return 0
    return size - start if size - start >= ZEROS or part(file, start, ZEROS).strip(b"\0") else 0


def part(file: BinaryIO, at: int, most: int) -> bytes:
    """Some bytes of a file."""
    file.seek(at)
    return file.read(most)


def _first(data: bytes) -> int:
    """Where the first beginning is; -1 where none is. Twenty times as fast as a search for the expression."""
    places: list[int] = []
    for odd in (0, 1):
        pairs = np.frombuffer(data, "<u2", max(0, len(data) - odd) // 2, odd)
        places += (np.flatnonzero(_PAIRS[pairs]) * 2 + odd).tolist()
    for place in sorted(places):
        start = place - 4 if data[place : place + 2] == b"ft" else place
        if start >= 0 and _BEGINNING.match(data, start):
            return start
    return -1


class Rest(NamedTuple):
    """What stands behind the recordings that ffmpeg reads."""

    size: int = 0  # bytes that may have been audio
    another: bool = False  # whether another recording begins there
    share: float = 0.0  # of the size in front of it
    cut: bool = False  # nothing does, and the last part of the file is not whole


def behind(path: Path) -> Rest:
    """What ffmpeg leaves out at the end of a file, by the structure of its container. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        head = part(file, 0, LONGEST)
        end, goes_on = _end(file, head, size)
        known = 0 < end < UNKNOWN  # else these are frames, packets or blocks without a length of the whole
        at = end if known else 4
        while at < size:
            at = search(file, at, size, frames=known)
            if at < 0:
                break
            if not goes_on or part(file, at, 4) != head[:4]:
                return Rest(size - at, another=True)
            at += 4
        if known and end > size + 1:
            return Rest(cut=True)
        if not known or goes_on:
            return Rest()
        rest = rest_of(file, end, size)
        return Rest(rest, share=rest / max(1, size - rest))


def _end(file: BinaryIO, head: bytes, size: int) -> tuple[int, bool]:
    """Where the first recording ends by its own structure, 0 where that says nothing; whether ffmpeg reads on."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return _walk(file, size, _box), False
    if head.startswith(b"0&\xb2u\x8ef\xcf\x11"):
        return _walk(file, size, _asf), False
    if head.startswith(b"FLV\x01"):
        return _walk(file, size, _flv, 13), False
    if head.startswith(b"TTA1"):
        return _tta(file, head), False
    if head.startswith(b"OggS"):
        return _walk(file, size, _page), True
    if head.startswith(b"RIFF"):
        return _walk(file, size, _riff), True
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _walk(file, size, _ebml), True
    return 0, True


def _walk(file: BinaryIO, size: int, length: Callable[[bytes, set[bytes]], int], at: int = 0) -> int:
    """The end of a row of parts; length: of one by its first bytes, 0 where it is none; it may remember some."""
    seen: set[bytes] = set()
    while at < size:
        file.seek(at)
        step = length(file.read(PAGE), seen)
        if step <= 0:
            break
        at += step
    return at


def _box(head: bytes, seen: set[bytes]) -> int:
    """ISO BMFF and QuickTime: one `ftyp` and one `moov`."""
    if len(head) < 8:
        return 0
    length, name = struct.unpack_from(">I4s", head)
    if (name in (b"ftyp", b"moov") and name in seen) or not all(
        0x20 <= byte < 0x7F or byte == 0xA9 for byte in name
    ):
        return 0
    if name == b"ftyp" and seen & {b"moov", b"mdat"}:
        return 0
    seen.add(name)
    if length == 1 and len(head) >= 16:
        return int(struct.unpack_from(">Q", head, 8)[0])
    return UNKNOWN if length == 0 else length if length >= 8 else 0


_ASF = tuple(map(bytes.fromhex, ("3026b2758e66cf11", "3626b2758e66cf11", "90080033b1e5cf11", "d329e2d6da35d111",
                                 "f803b1fead12644c", "d03fb73c4a0c0348")))  # fmt: skip


def _asf(head: bytes, seen: set[bytes]) -> int:
    """One header, the data, and indices."""
    if not head.startswith(_ASF) or (head.startswith(_ASF[0]) and seen):
        return 0
    seen.add(head[:16])
    length = int.from_bytes(head[16:24], "little")
    if head.startswith(_ASF[1]) and length <= 50:  # its own head and no more: written into a pipe
        return UNKNOWN
    return length if length >= 24 else 0


def _flv(head: bytes, seen: set[bytes]) -> int:
    return 15 + int.from_bytes(head[1:4], "big") if len(head) >= 11 and head[0] & 0x1F in (8, 9, 18) else 0


def _page(head: bytes, seen: set[bytes]) -> int:
    """Ogg, whatever number of links."""
    if not head.startswith(b"OggS") or len(head) < 27:
        return 0
    return 27 + head[26] + sum(head[27 : 27 + head[26]])


def _riff(head: bytes, seen: set[bytes]) -> int:
    if not head.startswith(b"RIFF") or (seen and head[8:12] != b"AVIX"):
        return 0
    seen.add(head[8:12])
    length = int.from_bytes(head[4:8], "little")
    if length in (0, 0xFFFFFFFF):  # written into a pipe
        return UNKNOWN
    return 8 + length + length % 2


def _ebml(head: bytes, seen: set[bytes]) -> int:
    """The header and one segment."""
    name = head[:4]
    if name in seen or name not in (b"\x1aE\xdf\xa3", b"\x18S\x80g") or not head[4:5]:
        return 0
    seen.add(name)
    width = 9 - head[4].bit_length()
    value = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
    return UNKNOWN if value == (1 << 7 * width) - 1 else 4 + width + value


def _tta(file: BinaryIO, head: bytes) -> int:
    """By the table of its frames."""
    rate, samples = struct.unpack_from("<II", head.ljust(LONGEST, b"\0"), 10)
    count = -(-samples // max(1, 256 * rate // 245))
    file.seek(22)
    table = file.read(4 * min(count, CHUNK))
    sizes = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    return 22 + len(table) + 4 + sum(map(int, sizes))
