"""Sample formats of uncompressed audio: PCM, float, A-law and mu-law bytes to float32.

A coding is a NumPy dtype with its byte order ("<i2", ">f4", "u1"), or "s24le", "s24be", "alaw", "ulaw".
"""

from __future__ import annotations

import numpy as np

from ..audio.signal import Samples

_WIDTHS = {"s24le": 3, "s24be": 3, "alaw": 1, "ulaw": 1}


def sample_width(coding: str) -> int:
    """Return the bytes of one sample of one channel."""
    return _WIDTHS.get(coding) or np.dtype(coding).itemsize


def with_order(kind: str, order: str) -> str:
    """Return the coding of a kind such as "i2" or "s24" in a byte order, "<" or ">"."""
    if kind == "s24":
        return "s24le" if order == "<" else "s24be"
    return kind if kind in ("alaw", "ulaw", "u1", "i1") else order + kind


def decode(data: bytes, coding: str, channels: int) -> Samples:
    """Decode whole frames to float32 (n, channels) in -1..1. The values are those that libsndfile returns."""
    if coding in ("alaw", "ulaw"):
        flat = (_ALAW if coding == "alaw" else _ULAW)[np.frombuffer(data, np.uint8)]
    elif coding in ("s24le", "s24be"):
        b = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(b), 4), np.uint8)
        wide[:, 1:] = b if coding == "s24le" else b[:, ::-1]
        flat = wide.view("<i4")[:, 0].astype(np.float32) * np.float32(2.0**-31)
    elif coding == "u1":
        flat = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    else:
        raw = np.frombuffer(data, coding)
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # doubles too large become infinite, and are refused later
            flat = raw.astype(np.float32)
        if raw.dtype.kind == "i":
            flat *= np.float32(2.0 ** (1 - 8 * raw.dtype.itemsize))
    return flat.reshape(-1, channels)


def _g711() -> tuple[Samples, Samples]:
    """Return the decoding tables of ITU-T G.711, A-law and mu-law: (256,) float32 in -1..1 each."""
    code = np.arange(256)
    a = code ^ 0x55
    segment, step = (a & 0x70) >> 4, (a & 0x0F) << 4
    size = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    alaw = np.where(a & 0x80, size, -size)
    u = ~code & 0xFF
    size = ((((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4)) - 0x84
    ulaw = np.where(u & 0x80, -size, size)
    return (alaw / 32768).astype(np.float32), (ulaw / 32768).astype(np.float32)


_ALAW, _ULAW = _g711()
