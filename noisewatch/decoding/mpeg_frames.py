"""Frame headers of MPEG audio (MP1, MP2, MP3) and of ADTS (AAC).

Source: ISO/IEC 11172-3 and 13818-3 for MPEG audio, 13818-7 for ADTS.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_ADTS = 1 << 13  # bytes of a frame

# kbit/s by version (1; 2 and 2.5) and layer, Hz by version.
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
    kind: tuple[int, int, int, bool]  # version, layer, rate (Hz), mono: constant within a recording

    @property
    def side(self) -> int:
        """Bytes of header and side information; the encoder's Xing or Info table comes after them."""
        version, _, _, mono = self.kind
        return 4 + ((17 if mono else 32) if version == 3 else (9 if mono else 17))


def _frames_by_header() -> dict[int, Frame]:
    """Return all valid frames by the bits of their header that determine length and kind."""
    found: dict[int, Frame] = {}
    for version, rates in _RATES.items():
        for layer in (1, 2, 3):
            kbits = _KBITS[1 if version == 3 else 2, layer]
            for number, rate in enumerate(rates):
                for index, kbit in enumerate(kbits, 1):
                    for padding in (0, 1):
                        length = _length(version, layer, rate, kbit, padding)
                        for mono in (False, True):
                            bits = version << 19 | (4 - layer) << 17 | index << 12 | number << 10 | padding << 9
                            found[bits | mono << 6] = Frame(length, kbit, (version, layer, rate, mono))
    return found


def _length(version: int, layer: int, rate: int, kbit: int, padding: int) -> int:
    if layer == 1:
        return (12_000 * kbit // rate + padding) * 4
    factor = 72_000 if layer == 3 and version != 3 else 144_000
    return factor * kbit // rate + padding


FRAMES = _frames_by_header()


def frame_of(bits: int) -> Frame | None:
    """Return the frame whose header is these 32 bits; None if it is not a valid header."""
    if bits >> 21 != 0x7FF:
        return None
    return FRAMES.get((bits & 0x1EFE00) | (bits >> 6 & 3 == 3) << 6)


def frames_begin(data: bytes, at: int) -> bool:
    """Whether three consecutive frames of the same kind begin at an offset, of MPEG audio or ADTS."""
    kinds: set[tuple[int, ...]] = set()
    for _ in range(3):
        bits = int.from_bytes(data[at : at + 4], "big")
        frame = frame_of(bits)
        if frame is not None:
            kinds.add(frame.kind)
            at += frame.length
            continue
        # ADTS: 12 bits of sync, layer 0, one of 13 rates.
        length = int.from_bytes(data[at : at + 6], "big") >> 5 & 0x1FFF
        if bits >> 20 != 0xFFF or bits >> 17 & 3 or bits >> 10 & 0xF > 12 or length < 7:
            return False
        kinds.add((bits >> 10 & 0x3F,))
        at += length
    return len(kinds) == 1
