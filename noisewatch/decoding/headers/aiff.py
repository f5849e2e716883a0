"""Headers of AIFF and AIFF-C."""

from __future__ import annotations

import struct

from .chunks import Read, read_body, skip
from .header import Header, make_header


def read_aiff(read: Read) -> Header | None:
    """Parse AIFF after its magic. None if damaged. Raises struct.error at an early end."""
    _, kind = struct.unpack(">I4s", read(8))
    if kind not in (b"AIFF", b"AIFC"):
        return None
    form = None
    while True:
        name, size = struct.unpack(">4sI", read(8))
        if name == b"SSND":
            (offset,) = struct.unpack(">I4x", read(8))
            skip(read, offset)
            if form is None:
                return None
            return make_header("AIFF", *form, max(0, size - 8 - offset))
        if name == b"COMM":
            form = _common(read_body(read, size + size % 2), kind == b"AIFC")
        else:
            skip(read, size + size % 2)


def _common(body: bytes, compressed: bool) -> tuple[int, int, str | None, str]:
    """Return rate, channels, coding and codec of a COMM chunk."""
    channels, _, bits, power, mantissa = struct.unpack_from(">HIHHQ", body)
    exponent = (power & 0x7FFF) - 16383 - 63  # the rate is an 80-bit float
    rate = int(mantissa * 2.0**exponent) if -64 <= exponent <= 0 else 0
    kind = body[18:22] if compressed else b"NONE"
    ints = {1: "i1", 2: ">i2", 3: "s24be", 4: ">i4"}.get((bits + 7) // 8)
    coding = {b"NONE": ints, b"twos": ints, b"sowt": {"i1": "i1", ">i2": "<i2"}.get(ints or ""), b"raw ": "u1",
              b"fl32": ">f4", b"FL32": ">f4", b"fl64": ">f8", b"FL64": ">f8", b"alaw": "alaw", b"ALAW": "alaw",
              b"ulaw": "ulaw", b"ULAW": "ulaw", b"in24": "s24be", b"in32": ">i4",
              b"42n1": "s24le", b"23ni": "<i4"}.get(kind)  # fmt: skip
    return rate, channels, coding, f"codec {kind.decode('latin-1')!r}"
