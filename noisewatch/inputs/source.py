"""The protocol that every source of audio follows: microphone, recording, pipe."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..audio.signal import Samples

TICK_S = 0.25  # how often a source without new audio yields None

Channel = int | tuple[int, ...]  # one channel, or several that are delivered together; counted from 1


@dataclass(frozen=True)
class Lost:
    """A gap: audio that is missing between two blocks."""

    seconds: float


class Gone:
    """A device that is gone."""


class Source(Protocol):
    """Anything that yields audio."""

    live: bool  # audio does not wait for its reader: one that falls behind skips to the newest window
    pauses: bool  # the writer may pause for any length of time without losing audio

    @property
    def name(self) -> str:
        """Name of the device or recording."""

    @property
    def sample_rate(self) -> int:
        """Native rate of the blocks, Hz; the stream resamples."""

    @property
    def drops(self) -> int:
        """How many times audio was lost before it reached the reader."""

    @property
    def notes(self) -> Sequence[str]:
        """Keys of `wording.NOTES`: peculiarities of this source; complete once `blocks` ends."""

    def blocks(self) -> Generator[Samples | Lost | Gone | None, None, None]:
        """Yield mono float32 blocks (n,), n >= 0; Lost for a gap.

        For each `TICK_S` without audio: None, or Gone while there is no device.
        """

    @property
    def late_s(self) -> float:
        """How long the latest block had waited before it was yielded, s."""

    def close(self) -> None:
        """Release the device or file; no more blocks are read."""


def count_channels(channels: int) -> str:
    """1 channel, 2 channels."""
    return f"{channels} channel{'' if channels == 1 else 's'}"
