"""Headers and samples of uncompressed audio: what can be read from a pipe, and what a header says of its length."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..audio.downmix import block_frames
from ..audio.signal import Samples
from ..errors import InputError, UsageError
from .magic import begins
from .pipe import Pipe

TOLERANCE_S = 0.1  # that a recording may be shorter than it promises
JUNK_S = 1.0  # so much behind the end, in what is no chunk, is audio and not junk
MOST_JUNK = 1 << 24  # bytes, whatever the rate
RATES = (1_000, 768_000)  # Hz
MOST_CHANNELS = 1024  # as libsndfile
LONGEST_SKIP = 1 << 20  # bytes read at once while a chunk is skipped

# Sizes that programs write where they can't know: 0x7F000000 (SoX in AIFF), 0x7FFFF000 (SoX), 0x7FFFFFFF,
# 0x80000000 (arecord), 0xFFFFFFFF (ffmpeg), each less a header or rounded down to whole frames.
PLACEHOLDERS = ((0x7F000000, 0x7F000000), (0x7FFFF000, 0x80000000), (0xFFFFF000, 0xFFFFFFFF))
HEADER = 256  # bytes that a program may have taken off a placeholder for its header
LEAST_MADE_UP, ROUND = 0x3FFF0000, 1 << 16  # any other size that nobody measured is so large and a multiple of this
LONGEST = 1 << 48  # bytes of audio: a 64-bit size beyond it is a placeholder

# Behind a `data` chunk of size 0 these are chunks of a file without audio; anything else is audio.
OTHER_CHUNKS = {b"LIST", b"list", b"id3 ", b"ID3 ", b"bext", b"iXML", b"axml", b"cue ", b"smpl", b"fact", b"PEAK",
                b"junk", b"JUNK", b"FLLR", b"PAD ", b"_PMX", b"acid", b"inst", b"DISP", b"afsp", b"cart", b"plst",
                b"adtl", b"chna", b"umid", b"LGWV", b"levl", b"strc", b"COMT", b"MARK", b"INST", b"NAME", b"AUTH",
                b"ANNO", b"(c) ", b"APPL"}  # fmt: skip

CODECS = {2: "MS ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM", 0x50: "MPEG audio", 0x55: "MP3", 0xFF: "AAC",
          0x1610: "AAC", 0x40: "G.721", 0x14: "G.723", 0x161: "WMA"}  # fmt: skip

MAGIC = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff", b".snd", b"dns.", b"FORM", b"caff")

FOREIGN = (b"fLaC", b"OggS", b"wvpk", b"TTA1", b"MAC ", b"#!AM")  # no chunks, though printable

ANOTHER = "another recording begins behind them"
LOST = "the {} bytes behind them are no audio that can be read"
LOST_S = 1.0  # so much behind the end, at the rate of what was decoded, may be a piece that cannot be read

Read = Callable[[int], bytes]  # that many bytes, fewer only at the end


@dataclass(frozen=True)
class Header:
    """What a header says; the reader stands at the first byte of audio."""

    container: str
    sample_rate: int
    channels: int
    coding: str | None  # a dtype of numpy, "s24le", "s24be", "alaw" or "ulaw"; None: some other codec
    codec: str  # its name, for a sentence
    size: int | None  # bytes of audio; None: nobody knew
    unfinished: bool = False  # the size is 0: the program that wrote it may have died, or there is no audio

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        if self.coding is None:
            return 1
        return self.channels * _width(self.coding)

    @property
    def padding(self) -> int:
        """Bytes behind the audio up to the next chunk."""
        return -(self.size or 0) % {"WAV": 2, "AIFF": 2, "W64": 8}.get(self.container, 1)

    @property
    def junk(self) -> int:
        """Bytes behind the end from which on they are audio."""
        return int(min(JUNK_S * self.second, MOST_JUNK))

    @property
    def second(self) -> int:
        """Bytes of a second."""
        return self.frame * self.sample_rate

    def like(self, other: Header) -> bool:
        """Whether the samples of both can stand in one stream."""
        known = self.coding is not None and other.coding is not None
        return known and (self.sample_rate, self.channels) == (other.sample_rate, other.channels)

    def made_up(self, there: int) -> bool:
        """Whether the size was written by a program that did not know it, as so many bytes of audio show.

        Such a size is large and round in hexadecimal, or that less a header, and hours beyond what is there.
        """
        size = self.size or 0
        slack = HEADER + self.channels * 8
        return size >= LEAST_MADE_UP and (size + slack) % ROUND <= 2 * slack and size - there > 3600 * self.second


def chunk_length(container: str, read: Read) -> int:
    """Bytes of the chunk that begins here, with its head and padding; 0 where none does. Reads its head."""
    head = read(24 if container == "W64" else 12 if container == "CAF" else 8)
    name = head[:4]
    if name in MAGIC or name in FOREIGN or not all(0x20 <= byte < 0x7F for byte in name) or container == "AU":
        return 0
    try:
        if container == "W64":
            (size,) = struct.unpack_from("<Q", head, 16)
            return int(size + -size % 8) if size >= 24 else 0
        (size,) = struct.unpack_from({"WAV": "<I", "AIFF": ">I", "CAF": ">Q"}[container], head, 4)
    except struct.error:  # too short
        return 0
    return int(len(head) + size + (0 if container == "CAF" else size % 2))


def _width(coding: str) -> int:
    return {"s24le": 3, "s24be": 3, "alaw": 1, "ulaw": 1}.get(coding) or np.dtype(coding).itemsize


def check_format(name: str, sample_rate: int, channels: int) -> None:
    """Raise InputError for a rate or a number of channels that no audio has, before memory is asked for."""
    if not RATES[0] <= sample_rate <= RATES[1]:
        raise InputError(
            f"the sample rate of {name} is {sample_rate} Hz; allowed: {RATES[0]} to {RATES[1]}. "
            "Check what made it, or convert it: ffmpeg -i INPUT -ar 48000 OUTPUT.wav"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise InputError(f"{name} has {channels} channels; allowed: 1 to {MOST_CHANNELS}. Check what made it.")


def foreign(head: bytes) -> bool:
    """Whether 12 bytes begin something else in RIFF or IFF than WAV or AIFF: AVI, 8SVX."""
    kinds = {b"FORM": (b"AIFF", b"AIFC"), b"RIFF": (b"WAVE",)}.get(head[:4])
    return kinds is not None and len(head) == 12 and head[8:] not in kinds


def read_header(read: Read) -> Header | None:
    """The header of a WAV, RF64, W64, AU or AIFF; None for anything else or a damaged one.

    `read` is left at the first byte of audio. Sizes are not checked against what follows.
    """
    try:
        magic = read(4)
        if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
            return _wav(read, ">" if magic == b"RIFX" else "<")
        if magic == b"riff":
            return _w64(read)
        if magic in (b".snd", b"dns."):
            return _au(read, ">" if magic == b".snd" else "<")
        if magic == b"FORM":
            return _aiff(read)
        if magic == b"caff":
            return _caf(read)
    except struct.error:  # too short
        pass
    return None


def _wav(read: Read, order: str) -> Header | None:
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
            return _made("WAV", *form, size)
        if name == b"fmt ":
            form = _wave_format(_body(read, size + size % 2), order)
        elif name == b"ds64":
            long_size = struct.unpack_from("<Q", _body(read, size + size % 2), 8)[0]
        else:
            skip(read, size + size % 2)


def _w64(read: Read) -> Header | None:
    if read(36)[20:24] != b"wave":
        return None
    form = None
    while True:
        name, size = struct.unpack("<4s12xQ", read(24))
        size -= 24
        if name == b"data":
            return None if form is None else _made("W64", *form, max(0, size))
        if size < 0:
            return None
        if name == b"fmt ":
            form = _wave_format(_body(read, size + -size % 8), "<")
        else:
            skip(read, size + -size % 8)


def _wave_format(body: bytes, order: str) -> tuple[int, int, str | None, str]:
    """Rate, channels, coding and codec of a `fmt ` chunk."""
    tag, channels, rate, _, align, bits = struct.unpack_from(order + "HHIIHH", body)
    if tag == 0xFFFE and len(body) >= 26:
        (tag,) = struct.unpack_from(order + "H", body, 24)
    coding = None
    if tag == 1:
        width = (bits + 7) // 8
        coding = {1: "u1", 2: "i2", 3: "s24", 4: "i4"}.get(width)
    elif tag == 3:
        coding = {32: "f4", 64: "f8"}.get(bits)
    elif tag in (6, 7):
        coding = {6: "alaw", 7: "ulaw"}[tag]
    codec = CODECS.get(tag, f"codec {tag:#x}" if tag not in (1, 3) else f"{bits}-bit samples")
    if coding is not None and align and align != channels * _width(_ordered(coding, order)):
        coding = None  # frames with gaps: nothing that is written writes them
    return rate, channels, None if coding is None else _ordered(coding, order), codec


def _ordered(coding: str, order: str) -> str:
    if coding == "s24":
        return "s24le" if order == "<" else "s24be"
    return coding if coding in ("alaw", "ulaw", "u1", "i1") else order + coding


def _au(read: Read, order: str) -> Header | None:
    offset, size, encoding, rate, channels = struct.unpack(order + "IIIII", read(20))
    codings = {1: "ulaw", 2: "i1", 3: "i2", 4: "s24", 5: "i4", 6: "f4", 7: "f8", 27: "alaw"}
    coding = codings.get(encoding)
    if offset < 24:
        return None
    skip(read, offset - 24)
    ordered = None if coding is None else _ordered(coding, order)
    return _made("AU", rate, channels, ordered, f"encoding {encoding}", size)


def _aiff(read: Read) -> Header | None:
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
            return _made("AIFF", *form, max(0, size - 8 - offset))
        if name == b"COMM":
            form = _common(_body(read, size + size % 2), kind == b"AIFC")
        else:
            skip(read, size + size % 2)


def _common(body: bytes, compressed: bool) -> tuple[int, int, str | None, str]:
    """Rate, channels, coding and codec of a COMM chunk."""
    channels, _, bits, power, mantissa = struct.unpack_from(">HIHHQ", body)
    exponent = (power & 0x7FFF) - 16383 - 63
    rate = int(mantissa * 2.0**exponent) if -64 <= exponent <= 0 else 0
    kind = body[18:22] if compressed else b"NONE"
    ints = {1: "i1", 2: ">i2", 3: "s24be", 4: ">i4"}.get((bits + 7) // 8)
    coding = {b"NONE": ints, b"twos": ints, b"sowt": {"i1": "i1", ">i2": "<i2"}.get(ints or ""), b"raw ": "u1",
              b"fl32": ">f4", b"FL32": ">f4", b"fl64": ">f8", b"FL64": ">f8", b"alaw": "alaw", b"ALAW": "alaw",
              b"ulaw": "ulaw", b"ULAW": "ulaw", b"in24": "s24be", b"in32": ">i4",
              b"42n1": "s24le", b"23ni": "<i4"}.get(kind)  # fmt: skip
    return rate, channels, coding, f"codec {kind.decode('latin-1')!r}"


def _caf(read: Read) -> Header | None:
    read(4)
    form = None
    while True:
        name, size = struct.unpack(">4sQ", read(12))
        if name == b"data":
            read(4)  # a count of edits
            return None if form is None else _made("CAF", *form, max(0, size - 4))
        if name == b"desc":
            rate, codec, flags, _, _, channels, bits = struct.unpack_from(">d4sIIIII", _body(read, size))
            order = "<" if flags & 2 else ">"
            kinds = {32: "f4", 64: "f8"} if flags & 1 else {8: "i1", 16: "i2", 24: "s24", 32: "i4"}
            kind = {b"alaw": "alaw", b"ulaw": "ulaw", b"lpcm": kinds.get(bits)}.get(codec)
            coding = None if kind is None else _ordered(kind, order)
            form = (int(rate) if 0 < rate < 1e9 else 0, channels, coding, f"codec {codec.decode('latin-1')!r}")
        else:
            skip(read, size)


def _made(container: str, rate: int, channels: int, coding: str | None, codec: str, size: int) -> Header:
    slack = HEADER + channels * 8
    unknown = size >= LONGEST or any(low - slack <= size <= high + slack for low, high in PLACEHOLDERS)
    known = None if unknown or size == 0 else size
    return Header(container, rate, channels, coding, codec, known, unfinished=size == 0)


def _body(read: Read, size: int) -> bytes:
    """A chunk that describes the audio. Raises struct.error for one that is too long to do so."""
    if size > 65_536:
        raise struct.error(f"a chunk of {size} bytes")
    return read(size)


def skip(read: Read, size: int) -> None:
    """Read past so many bytes, or to the end."""
    while size > 0:
        got = len(read(min(size, LONGEST_SKIP)))
        if not got:
            return
        size -= got


def ended_early(name: str, promised_s: float, heard_s: float) -> InputError:
    """What to say of a recording that is shorter than its header says."""
    return InputError(
        f"{name} ended early: its header promises {promised_s:.1f} s, and {heard_s:.1f} s were there."
    )


def cut_off(name: str, heard_s: float) -> InputError:
    """What to say of a recording that ends in the middle of a part of its own."""
    return InputError(f"{name} ended early: it is cut off after {heard_s:.1f} s.")


class Uncompressed:
    """Uncompressed audio from a pipe, or from a file whose header does not cover it: given as it comes."""

    def __init__(self, pipe: Pipe, header: Header, name: str, *, at_once: bool = False) -> None:
        """The pipe stands where the audio begins. at_once: give each 0.1 s when it comes, not seconds at a time."""
        check_format(name, header.sample_rate, header.channels)
        self.sample_rate, self.channels = header.sample_rate, header.channels
        self.promised_s = (header.size or 0) / header.second
        self.notes: list[str] = []
        self._pipe, self._header, self._name, self._at_once = pipe, header, name, at_once

    @classmethod
    def of_file(cls, path: Path, name: str) -> Uncompressed:
        """A file that has such a header."""
        pipe = Pipe(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), name, owned=True)
        header = read_header(pipe.read)
        if header is None:
            raise OSError(0, "it changed while it was opened")
        if header.made_up(path.stat().st_size):
            header = replace(header, size=None)
        return cls(pipe, header, name)

    def read(self, frames: int) -> Generator[Samples, None, None]:
        pipe, heard, began = self._pipe, 0, False
        most = block_frames(self.channels, self.sample_rate) if self._at_once else frames
        while True:
            header = self._header
            size, left = most * header.frame, header.size
            for data in pipe.chunks(size, left):
                if not began:
                    began = True
                    if not self._begins(data[:4]):
                        return
                if samples := data[: len(data) // header.frame * header.frame]:
                    heard += len(samples) // header.frame
                    yield decode(samples, header)
            if self._header.made_up(heard * header.frame):
                return
            if heard / self.sample_rate < self.promised_s - TOLERANCE_S:
                raise ended_early(self._name, self.promised_s, heard / self.sample_rate)
            if left is None or header.container == "raw" or not self._goes_on(heard):
                return

    def _begins(self, head: bytes) -> bool:
        """Whether what begins like this is audio."""
        if self._header.container == "raw" and head in (*MAGIC, b"fLaC", b"OggS"):
            raise UsageError(
                f"--raw-rate is for samples without a header, and {self._name} begins with {head.decode()}: it has "
                "a header that says the rate. Leave --raw-rate out."
            )
        if self._header.unfinished:
            if head in OTHER_CHUNKS:
                return False
            self.notes.append("unfinished")
        return True

    def _goes_on(self, heard: int) -> bool:
        """Whether there is more behind what the header promised: another WAV, or audio that it does not know of."""
        pipe, header = self._pipe, self._header
        if pipe.peek(header.padding).strip(b"\0") == b"" and not begins(self._look):
            pipe.read(header.padding)
        while length := chunk_length(header.container, pipe.peek):
            if header.container == "WAV" and pipe.peek(4) == b"data":  # a second one
                (size,) = struct.unpack("<4xI", pipe.read(8))
                form = header.sample_rate, header.channels, header.coding, header.codec
                self._header = _made("WAV", *form, size)
                self.promised_s += (self._header.size or 0) / header.second
                return True
            skip(pipe.read, length)
        if (name := pipe.peek(4)) in MAGIC:
            following = read_header(pipe.read)
            if following is None or not following.like(header):
                raise self._only(heard)
            self._header = following
            self.promised_s += (following.size or 0) / following.second
            return True
        if name and begins(self._look):
            raise self._only(heard)
        unknown = pipe.read(header.junk)
        if len(unknown) < header.junk or not unknown.strip(b"\0"):
            return False
        pipe.unread(unknown)
        self.notes.append("unfinished")
        self._header = replace(header, size=None)
        return True

    def _look(self, at: int, most: int) -> bytes:
        return self._pipe.peek(at + most)[at:]

    def _only(self, heard: int) -> InputError:
        return InputError(
            f"only the first {heard / self.sample_rate:.1f} s of {self._name} could be judged: "
            f"{ANOTHER}, in another format or damaged. Judge them one at a time."
        )


def decode(data: bytes, header: Header) -> Samples:
    """Whole frames as float32 (n, channels) in -1..1: the numbers that libsndfile gives."""
    coding = header.coding
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
        with np.errstate(over="ignore", invalid="ignore"):  # doubles too large are infinite, and said to be
            flat = raw.astype(np.float32)
        if raw.dtype.kind == "i":
            flat *= np.float32(2.0 ** (1 - 8 * raw.dtype.itemsize))
    return flat.reshape(-1, header.channels)


def _g711() -> tuple[Samples, Samples]:
    """The tables of ITU-T G.711, A-law and mu-law, as float in -1..1."""
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
