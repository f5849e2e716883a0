"""Chunks of RIFF, W64, IFF and CAF: lengths, reading, skipping, and the names of those without audio."""

from __future__ import annotations

import struct
from collections.abc import Callable

LONGEST_SKIP = 1 << 20  # bytes read at a time to skip a chunk
LONGEST_BODY = 65_536  # bytes of a chunk that describes the audio

MAGIC = (
    b"RIFF",
    b"RIFX",
    b"RF64",
    b"BW64",
    b"riff",
    b".snd",
    b"dns.",
    b"FORM",
    b"caff",
)  # of files that `read_header` reads
OTHER_MAGIC = (b"fLaC", b"OggS", b"wvpk", b"TTA1", b"MAC ", b"#!AM")  # printable like a chunk name

# After a `data` chunk of size 0, one of these means a file without audio; anything else is audio.
OTHER_CHUNKS = {b"LIST", b"list", b"id3 ", b"ID3 ", b"bext", b"iXML", b"axml", b"cue ", b"smpl", b"fact", b"PEAK",
                b"junk", b"JUNK", b"FLLR", b"PAD ", b"_PMX", b"acid", b"inst", b"DISP", b"afsp", b"cart", b"plst",
                b"adtl", b"chna", b"umid", b"LGWV", b"levl", b"strc", b"COMT", b"MARK", b"INST", b"NAME", b"AUTH",
                b"ANNO", b"(c) ", b"APPL"}  # fmt: skip

Read = Callable[[int], bytes]  # returns that many bytes, fewer only at the end


def chunk_length(container: str, read: Read) -> int:
    """Read the head of a chunk. Return the length of the chunk with head and padding; 0 if it is not a chunk."""
    head = read(24 if container == "W64" else 12 if container == "CAF" else 8)
    name = head[:4]
    if name in MAGIC or name in OTHER_MAGIC or not all(0x20 <= byte < 0x7F for byte in name) or container == "AU":
        return 0
    try:
        if container == "W64":
            (size,) = struct.unpack_from("<Q", head, 16)
            return int(size + -size % 8) if size >= 24 else 0
        (size,) = struct.unpack_from({"WAV": "<I", "AIFF": ">I", "CAF": ">Q"}[container], head, 4)
    except struct.error:  # too short
        return 0
    return int(len(head) + size + (0 if container == "CAF" else size % 2))


def read_body(read: Read, size: int) -> bytes:
    """Read a chunk that describes the audio. Raises struct.error for an absurdly long one."""
    if size > LONGEST_BODY:
        raise struct.error(f"a chunk of {size} bytes")
    return read(size)


def skip(read: Read, size: int) -> None:
    """Read and discard `size` bytes, or all that are left."""
    while size > 0:
        got = len(read(min(size, LONGEST_SKIP)))
        if not got:
            return
        size -= got
