"""Decodes a file with libsndfile, one piece after another."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from ..audio.signal import Samples
from ..errors import InputError
from .libsndfile_piece import Piece
from .pieces.layout import Layout, Span
from .shortfall import ANOTHER, LOST_S, TOLERANCE_S, cut_off, ended_early, lost_bytes, only_first, unreadable_beyond
from .signatures import search
from .tags import rest_of

AHEAD = 1 << 13  # bytes that libFLAC reads ahead


class Libsndfile:
    """A decoder of all pieces of a file, at the highest of their sample rates."""

    def __init__(self, path: Path, name: str, layout: Layout) -> None:
        """Raises soundfile.SoundFileError, TypeError or OSError if the first piece cannot be opened."""
        self._path, self._name, self._layout = path, name, layout
        self._first = self._open(layout.pieces[0])
        self.channels: int = self._first.file.channels
        self.sample_rate: int = self._first.file.samplerate
        self.promised_s = self._first.promised_s
        self.notes: list[str] = []
        for span in layout.pieces[1:]:
            with contextlib.suppress(Exception), self._open(span) as piece:  # `read` raises it
                self.sample_rate = max(self.sample_rate, piece.file.samplerate)  # so no bandwidth is lost
                self.promised_s += piece.promised_s

    def read(self, frames: int) -> Generator[Samples, None, None]:
        """Yield float32 (n, channels). Raises InputError for damage, an early end, or data that was not decoded."""
        import soundfile

        pieces, heard, lost = self._layout.pieces, 0, ""
        for number, span in enumerate(pieces, 1):
            before = heard
            try:
                with self._first if number == 1 else self._open(span) as piece:
                    for samples in piece.read(frames, self.sample_rate):
                        heard += len(samples)
                        yield samples
                    if self._layout.watched:
                        seconds = (heard - before) / self.sample_rate
                        lost = self._lost(self._rest(span, piece.unread), span, seconds)
            except (soundfile.SoundFileError, OSError) as error:
                reason = error_text(error)
                if len(pieces) == 1:
                    raise unreadable_beyond(self._name, heard / self.sample_rate, reason) from error
                raise self._only(heard, f"piece {number} of {len(pieces)} is damaged ({reason})") from error
            promised, got = piece.promised_s, (heard - before) / self.sample_rate
            if got < promised - TOLERANCE_S:
                if len(pieces) == 1:
                    raise ended_early(self._name, promised, got)
                reason = f"piece {number} of {len(pieces)} promises {promised:.1f} s and has {got:.1f} s"
                raise self._only(heard, reason)
            if lost:
                break
        if self._layout.cut:
            raise cut_off(self._name, heard / self.sample_rate)
        if lost := lost or self._lost(self._layout.rest, pieces[-1], got):
            raise self._only(heard, lost)

    def _lost(self, rest: int, span: Span, seconds: float) -> str:
        """Return why the last `rest` bytes of a piece that lasts `seconds` may be audio; "" if they are not."""
        if not rest:
            return ""
        with self._path.open("rb") as file:
            if search(file, span.end - rest, span.end) >= 0:
                return ANOTHER
        if rest * seconds >= LOST_S * (span.end - span.start - rest):
            return lost_bytes(rest)
        return ""

    def _only(self, heard: int, reason: str) -> InputError:
        return only_first(self._name, heard / self.sample_rate, reason)

    def _open(self, span: Span) -> Piece:
        whole = len(self._layout.pieces) == 1 and not span.head
        return Piece(self._path, span, whole=whole, watched=self._layout.watched, prints=self._layout.unknown)

    def _rest(self, span: Span, unread: int) -> int:
        """Return how many bytes at the end of a piece, which libsndfile did not read, may be audio."""
        with self._path.open("rb") as file:
            # What the decoder has read ahead may be the beginning of another recording.
            begin = max(span.start + 1, span.end - unread - AHEAD)
            if (at := search(file, begin, span.end, frames=False)) >= 0:
                return span.end - at
            return rest_of(file, span.end - unread, span.end)


def error_text(error: Exception) -> str:
    """Return the reason in an exception of soundfile or the system, without prefixes."""
    if isinstance(error, OSError):
        return str(error.strerror)
    text = str(error).rpartition(":")[2].strip().rstrip(".")
    return "its format is not known" if "does not exist" in text else text  # libsndfile's message for a damaged MP3
