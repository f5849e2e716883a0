"""Headers of WAV (RIFF, RIFX), RF64, BW64 and Sony Wave64."""

from __future__ import annotations

import struct

from ..pcm import sample_width, with_order
from .chunks import Read, read_body, skip
from .header import Header, make_header

CODECS = {2: "MS ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM", 0x50: "MPEG audio", 0x55: "MP3", 0xFF: "AAC",
          0x1610: "AAC", 0x40: "G.721", 0x14: "G.723", 0x161: "WMA"}  # fmt: skip


def read_wav(read: Read, order: str) -> Header | None:
    """Parse WAV after its magic; order: "<" or ">". None if damaged. Raises struct.error at an early end."""
    _, kind = struct.unpack("<I4s", read(8))
    if kind != b"WAVE":
        return None
    form, long_size = None, None
    while True:
        name, size = struct.unpack(order + "4sI", read(8))
        if name == b"data":
            if form is None:
                return None
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            return make_header("WAV", *form, size)
        if name == b"fmt ":
            form = _wave_format(read_body(read, size + size % 2), order)
        elif name == b"ds64":
            long_size = struct.unpack_from("<Q", read_body(read, size + size % 2), 8)[0]
        else:
            skip(read, size + size % 2)


def read_w64(read: Read) -> Header | None:
    """Parse Wave64 after the first 4 bytes of its magic; as `read_wav`."""
    if read(36)[20:24] != b"wave":
        return None
    form = None
    while True:
        name, size = struct.unpack("<4s12xQ", read(24))
        size -= 24
        if name == b"data":
            return None if form is None else make_header("W64", *form, max(0, size))
        if size < 0:
            return None
        if name == b"fmt ":
            form = _wave_format(read_body(read, size + -size % 8), "<")
        else:
            skip(read, size + -size % 8)


def _wave_format(body: bytes, order: str) -> tuple[int, int, str | None, str]:
    """Return rate, channels, coding and codec of a `fmt ` chunk."""
    tag, channels, rate, _, align, bits = struct.unpack_from(order + "HHIIHH", body)
    if tag == 0xFFFE and len(body) >= 26:  # WAVE_FORMAT_EXTENSIBLE
        (tag,) = struct.unpack_from(order + "H", body, 24)
    kind = None
    if tag == 1:
        kind = {1: "u1", 2: "i2", 3: "s24", 4: "i4"}.get((bits + 7) // 8)
    elif tag == 3:
        kind = {32: "f4", 64: "f8"}.get(bits)
    elif tag in (6, 7):
        kind = {6: "alaw", 7: "ulaw"}[tag]
    codec = CODECS.get(tag, f"codec {tag:#x}" if tag not in (1, 3) else f"{bits}-bit samples")
    coding = None if kind is None else with_order(kind, order)
    if coding is not None and align and align != channels * sample_width(coding):
        coding = None  # frames with gaps between samples, which no known program writes
    return rate, channels, coding, codec
