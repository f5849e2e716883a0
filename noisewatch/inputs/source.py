"""What anything that audio comes from has to do."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..audio.signal import Samples

TICK_S = 0.25  # a source that has nothing says so this often


@dataclass(frozen=True)
class Lost:
    """What a source hands out where audio is missing that was there to be heard."""

    seconds: float


class Source(Protocol):
    """Anything that audio comes from."""

    name: str
    sample_rate: int  # its own; the stream resamples
    live: bool  # it will not wait: when behind, skip to the newest window
    pauses: bool  # its writer may stop for any time, and nothing is lost meanwhile

    @property
    def drops(self) -> int:
        """How often audio was lost before it got here."""

    @property
    def notes(self) -> Sequence[str]:
        """Keys of `wording.NOTES`: what is odd about it; complete when it ends."""

    def blocks(self) -> Generator[Samples | Lost | None, None, None]:
        """Mono float32 blocks of any length, also 0; None for each TICK_S in which nothing came."""

    @property
    def late_s(self) -> float:
        """How long the block handed out last had been waiting."""

    def close(self) -> None:
        """Nobody listens any more."""
