"""Reads the header of any uncompressed format, by its magic."""

from __future__ import annotations

import struct

from .aiff import read_aiff
from .au import read_au
from .caf import read_caf
from .chunks import Read
from .header import Header
from .wav import read_w64, read_wav


def read_header(read: Read) -> Header | None:
    """Return the header of a WAV, RF64, W64, AU, AIFF or CAF; None for anything else or a damaged one.

    `read` is left at the first byte of audio. Sizes are not checked against the data that follows.
    """
    try:
        magic = read(4)
        if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
            return read_wav(read, ">" if magic == b"RIFX" else "<")
        if magic == b"riff":
            return read_w64(read)
        if magic in (b".snd", b"dns."):
            return read_au(read, ">" if magic == b".snd" else "<")
        if magic == b"FORM":
            return read_aiff(read)
        if magic == b"caff":
            return read_caf(read)
    except struct.error:  # too short
        pass
    return None


def is_other_container(head: bytes) -> bool:
    """Whether the first 12 bytes are of RIFF or IFF, but not of WAV or AIFF: AVI, 8SVX."""
    kinds = {b"FORM": (b"AIFF", b"AIFC"), b"RIFF": (b"WAVE",)}.get(head[:4])
    return kinds is not None and len(head) == 12 and head[8:] not in kinds
