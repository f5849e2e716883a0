"""A recording as a source of audio: a sound file, or what a decoder makes of a pipe."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from pathlib import Path

from ..audio.downmix import Downmix, block_frames
from ..audio.signal import Samples
from ..decoding.decoders import Decoder, open_file
from ..decoding.pcm import check_format
from ..errors import ChannelError, InputError


def open_recording(
    path: Path, name: str, *, channel: int | None = None, paced: bool = False, command: str = "check"
) -> Recording:
    """A file as a source, called `name`. Raises InputError with the reason and what to do, or ChannelError."""
    return Recording(open_file(path, name, command=command), name, channel=channel, paced=paced)


class Recording:
    """A sound file or a pipe: as fast as it is read, or paced as if it were live."""

    live = False
    pauses = False
    drops = 0
    late_s = 0.0

    def __init__(self, decoder: Decoder, name: str, *, channel: int | None = None, paced: bool = False) -> None:
        self.name = name
        check_format(name, decoder.sample_rate, decoder.channels)
        self.sample_rate: int = decoder.sample_rate
        if channel is not None and channel > decoder.channels:
            raise ChannelError(
                f"{name} has {decoder.channels} channel(s), no channel {channel}. They count from 1."
            )
        self.promised_s = decoder.promised_s  # how long it should be; 0 where nobody knows
        self.notes = decoder.notes
        self._decoder = decoder
        self._channel = channel
        self._paced = paced

    def close(self) -> None:
        """The file is closed when its blocks were read, or are not asked for any more."""

    def blocks(self) -> Generator[Samples, None, None]:
        """Mono float32 blocks, of 0.1 s when paced.

        Raises InputError for damage, no audio, or an early end, after all that could be read was given.
        """
        size = block_frames(self._decoder.channels, self.sample_rate)
        began, frames = time.monotonic(), 0
        with contextlib.closing(self._mono(size * (10 if self._paced else 40))) as parts:
            for mono in parts:
                if not self._paced:
                    frames += len(mono)
                    yield mono
                    continue
                for start in range(0, len(mono), size):
                    block = mono[start : start + size]
                    frames += len(block)
                    time.sleep(max(0.0, began + frames / self.sample_rate - time.monotonic()))
                    yield block
        if not frames:
            raise InputError(f"{self.name} holds no audio: it has 0 samples. Check what made it.")

    def _mono(self, frames: int) -> Generator[Samples, None, None]:
        """One channel, some samples at a time."""
        mix: Downmix | None = None
        try:
            with contextlib.closing(self._decoder.read(frames)) as parts:
                for samples in parts:
                    if self._channel is not None and self._channel > samples.shape[1]:
                        raise InputError(
                            f"{self.name} goes on with {samples.shape[1]} channel(s), and has no channel "
                            f"{self._channel} there. Leave --channel out."
                        )
                    if self._channel is not None:
                        yield samples[:, self._channel - 1].copy()
                        continue
                    if mix is None or mix.channels != samples.shape[1]:
                        if mix is not None:
                            yield from self._mixed(mix, mix.finish())
                        mix = Downmix(samples.shape[1], self.sample_rate)
                    yield from self._mixed(mix, mix.feed(samples))
        except InputError:
            if mix is not None:
                yield from self._mixed(mix, mix.finish())
            raise
        if mix is not None:
            yield from self._mixed(mix, mix.finish())

    def _mixed(self, mix: Downmix, mono: Samples) -> Generator[Samples, None, None]:
        if mix.cancelled and "cancelled" not in self.notes:
            self.notes.append("cancelled")
        if len(mono):
            yield mono
