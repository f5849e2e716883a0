"""Decodes uncompressed audio as it arrives: from a pipe, or from a file whose header does not cover its audio."""

from __future__ import annotations

import os
import struct
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from ..audio.downmix import block_frames
from ..audio.signal import Samples
from ..errors import InputError, UsageError
from .headers.chunks import MAGIC, OTHER_CHUNKS, chunk_length, skip
from .headers.header import Header, check_format, make_header
from .headers.reader import read_header
from .pcm import decode
from .pipe import Pipe
from .shortfall import ANOTHER, TOLERANCE_S, ended_early, only_first
from .signatures import begins


class Uncompressed:
    """A decoder of uncompressed audio. It continues with audio that follows, if its format matches."""

    def __init__(self, pipe: Pipe, header: Header, name: str, *, at_once: bool = False) -> None:
        """pipe: at the first byte of audio; at_once: yield every 0.1 s as it arrives, instead of seconds at a time.

        Raises InputError for an impossible rate or number of channels.
        """
        check_format(name, header.sample_rate, header.channels)
        self.sample_rate, self.channels = header.sample_rate, header.channels
        self.promised_s = (header.size or 0) / header.bytes_per_s
        self.notes: list[str] = []
        self._pipe, self._header, self._name, self._at_once = pipe, header, name, at_once

    @classmethod
    def of_file(cls, path: Path, name: str) -> Uncompressed:
        """Open a file with such a header. Raises OSError, and InputError as the constructor does."""
        pipe = Pipe(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), name, owned=True)
        header = read_header(pipe.read)
        if header is None or header.coding is None:
            raise OSError(0, "it changed while it was opened")
        if header.is_placeholder(path.stat().st_size):
            header = replace(header, size=None)
        return cls(pipe, header, name)

    def read(self, frames: int) -> Generator[Samples, None, None]:
        """Yield float32 (n, channels). Raises InputError for an early end, and UsageError for a wrong rate."""
        pipe, heard, began = self._pipe, 0, False
        most = block_frames(self.channels, self.sample_rate) if self._at_once else frames
        while True:
            header = self._header
            assert header.coding is not None
            frame, left = header.frame_size, header.size
            for data in pipe.chunks(most * frame, left):
                if not began:
                    began = True
                    if not self._is_audio(data[:4]):
                        return
                if samples := data[: len(data) // frame * frame]:
                    heard += len(samples) // frame
                    yield decode(samples, header.coding, header.channels)
            if header.is_placeholder(heard * frame):
                return
            if heard / self.sample_rate < self.promised_s - TOLERANCE_S:
                raise ended_early(self._name, self.promised_s, heard / self.sample_rate)
            if left is None or header.container == "raw" or not self._continues(heard):
                return

    def _is_audio(self, head: bytes) -> bool:
        """Whether data that begins with these 4 bytes is audio."""
        if self._header.container == "raw" and head in (*MAGIC, b"fLaC", b"OggS"):
            raise UsageError(
                f"--raw-rate is for audio without a header, and {self._name} begins with {head.decode()}: it has a "
                "header, which gives the rate. Omit --raw-rate."
            )
        if self._header.unfinished:
            if head in OTHER_CHUNKS:
                return False
            self.notes.append("unfinished")
        return True

    def _continues(self, heard: int) -> bool:
        """Whether audio follows after the promised size: another recording, or audio not covered by the header."""
        pipe, header = self._pipe, self._header
        if pipe.peek(header.padding).strip(b"\0") == b"" and not begins(self._look):
            pipe.read(header.padding)
        while length := chunk_length(header.container, pipe.peek):
            if header.container == "WAV" and pipe.peek(4) == b"data":  # a second one
                (size,) = struct.unpack("<4xI", pipe.read(8))
                form = header.sample_rate, header.channels, header.coding, header.codec
                self._append(make_header("WAV", *form, size))
                return True
            skip(pipe.read, length)
        if (name := pipe.peek(4)) in MAGIC:
            following = read_header(pipe.read)
            if following is None or not following.matches(header):
                raise self._only(heard)
            self._append(following)
            return True
        if name and begins(self._look):
            raise self._only(heard)
        unknown = pipe.read(header.junk_limit)
        if len(unknown) < header.junk_limit or not unknown.strip(b"\0"):
            return False
        pipe.unread(unknown)
        self.notes.append("unfinished")
        self._header = replace(header, size=None)
        return True

    def _append(self, header: Header) -> None:
        self._header = header
        self.promised_s += (header.size or 0) / header.bytes_per_s

    def _look(self, at: int, most: int) -> bytes:
        return self._pipe.peek(at + most)[at:]

    def _only(self, heard: int) -> InputError:
        reason = f"{ANOTHER}, in another format or damaged"
        return only_first(self._name, heard / self.sample_rate, reason, "Judge them one at a time.")
