"""File signatures: whether a recording begins at an offset, and where the next one begins in a file."""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np

from .file_bytes import CHUNK
from .mpeg_frames import LONGEST_ADTS, frames_begin
from .tags import MOST_TAGS, Look, past_tags

# Each is too long to occur by chance in a gigabyte of other data.
_SIGNATURE = re.compile(
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
LONGEST = 32  # bytes of a signature
# The first two bytes of each signature; the fifth and sixth of an ISO BMFF box.
_PAIRS = np.zeros(1 << 16, bool)
_PAIRS[np.frombuffer(b"fLOgRIRFBWriFO.sdncaft0&FLTT\x1aE#!MAwvCrNI", "<u2")] = True
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
NEAR = 1 << 20  # bytes after an end that are searched for frames without a file header


def begins(look: Look) -> bool:
    """Whether a recording begins at offset 0 of `look`, with or without tags before it."""
    at = past_tags(look) if look(0, 3) in (b"ID3", b"APE", b"TAG") else 0
    if at > MOST_TAGS:
        return False
    head = look(at, LONGEST)
    return bool(_SIGNATURE.match(head)) or (head[:1] == b"\xff" and frames_begin(look(at, 3 * LONGEST_ADTS), 0))


def search(file: BinaryIO, start: int, size: int, *, frames: bool = True) -> int:
    """Return the offset at which the first recording in file[start:size] begins; -1 if there is none.

    frames: look near the start for MPEG audio and AAC without a file header, too.
    """
    file.seek(start)
    if frames:
        data = file.read(min(NEAR, size - start))
        for match in _SYNC.finditer(data):
            if frames_begin(data, match.start()):
                return start + match.start()
        file.seek(start)
    data, at = b"", start
    while at < size and (more := file.read(min(CHUNK, size - at))):
        data = data[-LONGEST:] + more
        at += len(more)
        if (found := _first(data)) >= 0:
            return at - len(data) + found
    return -1


def _first(data: bytes) -> int:
    """Return the offset of the first signature; -1 if there is none. 20 times as fast as `_SIGNATURE.search`."""
    places: list[int] = []
    for odd in (0, 1):
        pairs = np.frombuffer(data, "<u2", max(0, len(data) - odd) // 2, odd)
        places += (np.flatnonzero(_PAIRS[pairs]) * 2 + odd).tolist()
    for place in sorted(places):
        start = place - 4 if data[place : place + 2] == b"ft" else place
        if start >= 0 and _SIGNATURE.match(data, start):
            return start
    return -1
