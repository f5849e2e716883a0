"""Headers of Sun/NeXT AU."""

from __future__ import annotations

import struct

from ..pcm import with_order
from .chunks import Read, skip
from .header import Header, make_header

KINDS = {1: "ulaw", 2: "i1", 3: "i2", 4: "s24", 5: "i4", 6: "f4", 7: "f8", 27: "alaw"}


def read_au(read: Read, order: str) -> Header | None:
    """Parse AU after its magic; order: "<" or ">". None if damaged. Raises struct.error at an early end."""
    offset, size, encoding, rate, channels = struct.unpack(order + "IIIII", read(20))
    if offset < 24:
        return None
    skip(read, offset - 24)
    kind = KINDS.get(encoding)
    coding = None if kind is None else with_order(kind, order)
    return make_header("AU", rate, channels, coding, f"encoding {encoding}", size)
