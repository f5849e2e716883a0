"""Headers of Apple's Core Audio Format."""

from __future__ import annotations

import struct

from ..pcm import with_order
from .chunks import Read, read_body, skip
from .header import Header, make_header


def read_caf(read: Read) -> Header | None:
    """Parse CAF after its magic. None if damaged. Raises struct.error at an early end."""
    read(4)
    form = None
    while True:
        name, size = struct.unpack(">4sQ", read(12))
        if name == b"data":
            read(4)  # edit count
            return None if form is None else make_header("CAF", *form, max(0, size - 4))
        if name == b"desc":
            form = _description(read_body(read, size))
        else:
            skip(read, size)


def _description(body: bytes) -> tuple[int, int, str | None, str]:
    """Return rate, channels, coding and codec of a `desc` chunk."""
    rate, codec, flags, _, _, channels, bits = struct.unpack_from(">d4sIIIII", body)
    order = "<" if flags & 2 else ">"
    pcm = {32: "f4", 64: "f8"} if flags & 1 else {8: "i1", 16: "i2", 24: "s24", 32: "i4"}
    kind = {b"alaw": "alaw", b"ulaw": "ulaw", b"lpcm": pcm.get(bits)}.get(codec)
    coding = None if kind is None else with_order(kind, order)
    return int(rate) if 0 < rate < 1e9 else 0, channels, coding, f"codec {codec.decode('latin-1')!r}"
