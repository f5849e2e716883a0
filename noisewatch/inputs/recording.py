"""A recording as a source of audio: a file or a pipe, through a decoder."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np

from ..audio.downmix import Downmix, block_frames
from ..audio.signal import Samples
from ..decoding.decoders import Decoder, open_file
from ..decoding.headers.header import check_format
from ..errors import ChannelError, InputError
from .source import Channel, count_channels


def open_recording(path: Path, name: str, *, channel: Channel | None = None, paced: bool = False) -> Recording:
    """Open a file as a source.

    name: for error messages; channel: counted from 1, None for the mean of all, several for blocks (n, channels);
    paced: deliver it at real-time speed. Raises InputError for a file that cannot be decoded, and ChannelError for
    a missing channel.
    """
    return Recording(open_file(path, name), name, channel=channel, paced=paced)


class Recording:
    """A decoded file or pipe, as fast as it is read or at real-time speed. Options as in `open_recording`."""

    live = False
    pauses = False
    drops = 0
    late_s = 0.0

    def __init__(self, decoder: Decoder, name: str, *, channel: Channel | None = None, paced: bool = False) -> None:
        self.name = name
        check_format(name, decoder.sample_rate, decoder.channels)
        self.sample_rate: int = decoder.sample_rate
        self.channels = decoder.channels  # at its beginning
        self._highest = 0 if channel is None else int(np.max(channel))
        if self._highest > decoder.channels:
            raise ChannelError(
                f"{name} has {count_channels(decoder.channels)}, so there is no channel {self._highest}. "
                "Channels are counted from 1."
            )
        self.promised_s = decoder.promised_s  # duration according to the header; 0 if unknown
        self.notes = decoder.notes
        self._decoder = decoder
        self._channel = channel
        self._paced = paced

    def close(self) -> None:
        """Does nothing: the file closes when `blocks` ends or is discarded."""

    def blocks(self) -> Generator[Samples, None, None]:
        """Yield float32 blocks, mono (n,) or, for several channels, (n, channels); of 0.1 s when paced.

        Raises InputError for damage, an early end or no audio at all, after everything decodable was yielded.
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
            raise InputError(f"{self.name} holds no audio: it has 0 samples. Check the program that wrote it.")

    def _mono(self, frames: int) -> Generator[Samples, None, None]:
        """Yield the chosen channels, or the downmix of all, up to `frames` samples at a time."""
        mix: Downmix | None = None
        try:
            with contextlib.closing(self._decoder.read(frames)) as parts:
                for samples in parts:
                    if self._highest > samples.shape[1]:
                        raise InputError(
                            f"{self.name} continues with {count_channels(samples.shape[1])}, so it has no channel "
                            f"{self._highest} there. Omit --channel."
                        )
                    if self._channel is not None:
                        yield samples[:, np.subtract(self._channel, 1)].copy()
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
