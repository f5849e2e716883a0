"""Where containers that ffmpeg decodes end (MP4, ASF, FLV, TTA, Ogg, AVI, Matroska), and what follows them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .file_bytes import CHUNK, read_at
from .signatures import LONGEST, search
from .tags import rest_of

LONGEST_HEAD = 27 + 255  # bytes of the longest part header: an Ogg page
UNKNOWN = 1 << 48  # bytes: a length of this or more is unknown


class Rest(NamedTuple):
    """The end of a file that ffmpeg does not decode."""

    size: int = 0  # bytes that may be audio
    another: bool = False  # whether another recording begins there
    share: float = 0.0  # size relative to the bytes before it
    cut: bool = False  # the file ends within the last part of its container


def rest_after(path: Path) -> Rest:
    """Return what ffmpeg leaves undecoded at the end of a file, judged by its container. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        head = read_at(file, 0, LONGEST)
        end, continues = _end(file, head, size)
        known = 0 < end < UNKNOWN  # otherwise there are only frames, packets or blocks, without a total length
        at = end if known else 4
        while at < size:
            at = search(file, at, size, frames=known)
            if at < 0:
                break
            if not continues or read_at(file, at, 4) != head[:4]:
                return Rest(size - at, another=True)
            at += 4
        if known and end > size + 1:
            return Rest(cut=True)
        if not known or continues:
            return Rest()
        rest = rest_of(file, end, size)
        return Rest(rest, share=rest / max(1, size - rest))


def _end(file: BinaryIO, head: bytes, size: int) -> tuple[int, bool]:
    """Return where the first container ends (0 if unknown), and whether ffmpeg continues after it."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return _walk(file, size, _box), False
    if head.startswith(b"0&\xb2u\x8ef\xcf\x11"):
        return _walk(file, size, _asf), False
    if head.startswith(b"FLV\x01"):
        return _walk(file, size, _flv, 13), False
    if head.startswith(b"TTA1"):
        return _tta(file, head), False
    if head.startswith(b"OggS"):
        return _walk(file, size, _ogg_page), True
    if head.startswith(b"RIFF"):
        return _walk(file, size, _riff), True
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _walk(file, size, _ebml), True
    return 0, True


def _walk(file: BinaryIO, size: int, length: Callable[[bytes, set[bytes]], int], at: int = 0) -> int:
    """Return where a sequence of parts ends.

    length: returns the length of a part from its first bytes, 0 if it is not one; the set collects the parts seen.
    """
    seen: set[bytes] = set()
    while at < size:
        step = length(read_at(file, at, LONGEST_HEAD), seen)
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
    """ASF (WMA): one header, the data, and indices."""
    if not head.startswith(_ASF) or (head.startswith(_ASF[0]) and seen):
        return 0
    seen.add(head[:16])
    length = int.from_bytes(head[16:24], "little")
    if head.startswith(_ASF[1]) and length <= 50:  # only its own header: written to a pipe
        return UNKNOWN
    return length if length >= 24 else 0


def _flv(head: bytes, seen: set[bytes]) -> int:
    """FLV: tags of audio, video and script data."""
    return 15 + int.from_bytes(head[1:4], "big") if len(head) >= 11 and head[0] & 0x1F in (8, 9, 18) else 0


def _ogg_page(head: bytes, seen: set[bytes]) -> int:
    """Ogg, with any number of links."""
    if not head.startswith(b"OggS") or len(head) < 27:
        return 0
    return 27 + head[26] + sum(head[27 : 27 + head[26]])


def _riff(head: bytes, seen: set[bytes]) -> int:
    """RIFF, such as AVI, with its `AVIX` extensions."""
    if not head.startswith(b"RIFF") or (seen and head[8:12] != b"AVIX"):
        return 0
    seen.add(head[8:12])
    length = int.from_bytes(head[4:8], "little")
    if length in (0, 0xFFFFFFFF):  # written to a pipe
        return UNKNOWN
    return 8 + length + length % 2


def _ebml(head: bytes, seen: set[bytes]) -> int:
    """EBML (Matroska, WebM): a header and one segment."""
    name = head[:4]
    if name in seen or name not in (b"\x1aE\xdf\xa3", b"\x18S\x80g") or not head[4:5]:
        return 0
    seen.add(name)
    width = 9 - head[4].bit_length()
    value = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
    return UNKNOWN if value == (1 << 7 * width) - 1 else 4 + width + value


def _tta(file: BinaryIO, head: bytes) -> int:
    """TTA, by its seek table."""
    rate, samples = struct.unpack_from("<II", head.ljust(LONGEST, b"\0"), 10)
    count = -(-samples // max(1, 256 * rate // 245))
    table = read_at(file, 22, 4 * min(count, CHUNK))
    sizes = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    return 22 + len(table) + 4 + sum(map(int, sizes))
