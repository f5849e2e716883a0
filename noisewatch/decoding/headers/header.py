"""The content of an uncompressed file's header: format, size of the audio, and sizes that are only placeholders."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError, UsageError
from ..pcm import sample_width

RATES = (1_000, 768_000)  # Hz
MOST_CHANNELS = 1024  # the limit of libsndfile
JUNK_S = 1.0  # this much data after the end, if it is not a chunk, is audio rather than junk
MOST_JUNK = 1 << 24  # bytes, at any rate

# Sizes that programs write when the length is unknown: 0x7F000000 (SoX in AIFF), 0x7FFFF000 (SoX), 0x7FFFFFFF,
# 0x80000000 (arecord), 0xFFFFFFFF (ffmpeg), each minus a header or rounded down to whole frames.
PLACEHOLDERS = ((0x7F000000, 0x7F000000), (0x7FFFF000, 0x80000000), (0xFFFFF000, 0xFFFFFFFF))
HEADER = 256  # bytes that a program may have subtracted from a placeholder for its header
LEAST_ROUND, ROUND = 0x3FFF0000, 1 << 16  # other placeholders are at least this large, and a multiple of this
LONGEST = 1 << 48  # bytes of audio: a larger 64-bit size is a placeholder


@dataclass(frozen=True)
class Header:
    """A parsed header. `read_header` leaves its reader at the first byte of audio."""

    container: str  # WAV, W64, AU, AIFF, CAF or raw
    sample_rate: int
    channels: int
    coding: str | None  # see `pcm`; None for any other codec
    codec: str  # its name, for messages
    size: int | None  # bytes of audio; None if unknown
    unfinished: bool = False  # the size is 0: the recorder may have crashed, or there is no audio

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        return 1 if self.coding is None else self.channels * sample_width(self.coding)

    @property
    def bytes_per_s(self) -> int:
        """Bytes of one second of audio."""
        return self.frame_size * self.sample_rate

    @property
    def padding(self) -> int:
        """Bytes between the audio and the next chunk."""
        return -(self.size or 0) % {"WAV": 2, "AIFF": 2, "W64": 8}.get(self.container, 1)

    @property
    def junk_limit(self) -> int:
        """Number of bytes at which unknown data after the end counts as audio."""
        return int(min(JUNK_S * self.bytes_per_s, MOST_JUNK))

    def matches(self, other: Header) -> bool:
        """Whether the samples of both can form one stream."""
        known = self.coding is not None and other.coding is not None
        return known and (self.sample_rate, self.channels) == (other.sample_rate, other.channels)

    def is_placeholder(self, available: int) -> bool:
        """Whether the size is a placeholder, given the number of bytes of audio present.

        A placeholder is large, round in hexadecimal (possibly minus a header), and exceeds the available audio by
        more than an hour.
        """
        size = self.size or 0
        slack = _slack(self.channels)
        is_round = size >= LEAST_ROUND and (size + slack) % ROUND <= 2 * slack
        return is_round and size - available > 3600 * self.bytes_per_s


def make_header(container: str, rate: int, channels: int, coding: str | None, codec: str, size: int) -> Header:
    """Return the header for a size as the file states it; a placeholder becomes None."""
    slack = _slack(channels)
    unknown = size >= LONGEST or any(low - slack <= size <= high + slack for low, high in PLACEHOLDERS)
    known = None if unknown or size == 0 else size
    return Header(container, rate, channels, coding, codec, known, unfinished=size == 0)


def raw_header(rate: int) -> Header:
    """Return the format of raw signed 16-bit mono at a rate (Hz). Raises UsageError for an impossible rate."""
    low, high = RATES
    if not low <= rate <= high:
        raise UsageError(f"--raw-rate is {rate} Hz; allowed: {low} to {high}.")
    return Header("raw", rate, 1, "<i2", "", None)


def check_format(name: str, sample_rate: int, channels: int) -> None:
    """Raise InputError for an impossible rate or number of channels, before memory is allocated for it."""
    if not RATES[0] <= sample_rate <= RATES[1]:
        raise InputError(
            f"the sample rate of {name} is {sample_rate} Hz; allowed: {RATES[0]} to {RATES[1]}. "
            "Check the program that wrote it, or convert it: ffmpeg -i INPUT -ar 48000 OUTPUT.wav"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise InputError(
            f"{name} has {channels} channels; allowed: 1 to {MOST_CHANNELS}. Check the program that wrote it."
        )


def _slack(channels: int) -> int:
    return HEADER + channels * 8
