"""Traces that a line, a codec or a cable leaves in a signal: a band limit, and mains hum.

Each needs more than a window, so each remembers what it heard, until the stream is interrupted. The numbers were
chosen on recordings that are not test data; `benchmarks/warnings.py` makes cases, and counts how many are found.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..audio.levels import dbfs
from ..audio.logmel import FrontendConfig, mel_edges
from ..audio.ring import Ring
from ..audio.signal import SAMPLE_RATE, Samples
from .events import WarningName

DB = 10 / np.log(10)  # of one unit of log-Mel power


class Traces:
    """All of them, for one stream."""

    def __init__(self, config: FrontendConfig) -> None:
        self._band_limit, self._hum = BandLimit(config), Hum()
        self.hum_hz: int | None = None  # frequency of the mains, if it hums

    def reset(self) -> None:
        """Forget what was heard."""
        self._band_limit.reset()
        self._hum.reset()
        self.hum_hz = None

    def feed(self, samples: Samples) -> None:
        """Take samples (n,) at 16 kHz, filtered by the high-pass."""
        self._hum.feed(samples)

    def warnings(self, window: NDArray[np.float32], voice_dbfs: float) -> Iterator[WarningName]:
        """Yield what there is.

        window: log-Mel frames (n, n_mels) of the current window. voice_dbfs: level of the voice in this stream.
        """
        if self._band_limit.update(window):
            yield "band_limited"
        self.hum_hz = self._hum.update(voice_dbfs)
        if self.hum_hz is not None:
            yield "hum"


class BandLimit:
    """Whether nothing above 4 kHz arrives: telephone lines, and the headset profile of Bluetooth.

    Compares the loudest frame of the window above 4.5 kHz with the loudest from 0.3 to 3.3 kHz. A voice in full
    bandwidth is 10 to 45 dB weaker there, one that was sampled at 8 kHz 70 dB or more. A pause shows neither.
    """

    LIMITED_DB = -60.0  # at or below: limited
    FULL_DB = -54.0  # above: in full bandwidth
    PAUSE_DB = 20.0  # a window this much quieter than the one that decided says nothing

    def __init__(self, config: FrontendConfig) -> None:
        edges = mel_edges(config)  # (n_mels + 2,) Hz
        self._speech = (edges[1:-1] > 300) & (edges[1:-1] < 3300)
        self._above = edges[:-2] > 4500
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._present, self._decided_at = False, -np.inf

    def update(self, window: NDArray[np.float32]) -> bool:
        """Take the log-Mel frames (n, n_mels) of the current window; return whether the band is limited."""
        loudest = window.max(0) * DB
        speech, above = float(loudest[self._speech].max()), float(loudest[self._above].max())
        difference = above - speech
        if difference <= self.LIMITED_DB:
            self._present, self._decided_at = True, speech
        elif difference > self.FULL_DB and speech > self._decided_at - self.PAUSE_DB:
            self._present, self._decided_at = False, speech
        return self._present


class Hum:
    """Whether a steady tone at 50 or 60 Hz or at their multiples lies under everything else.

    The quietest tenth of the spectra of half a second, band by band over 6 s, shows what is always there. A
    line of the mains stands out from its neighbourhood, and is loud enough to hear beside the voice.
    """

    RATE = 1000  # Hz, after decimation
    SIZE, HOP = 512, 128  # of a spectrum, samples at that rate
    MEMORY_S, LEAST_S = 6.0, 2.4
    EVERY = 4  # spectra between two decisions
    QUIET = 0.1  # quantile over time
    LINES = 7  # the mains and its multiples, up to 400 Hz
    LINES_DB = 12.0, -33.0  # two lines stand out by this, and all together are this loud, relative to the voice
    LINE_DB = 26.0, -18.0  # or one line does: where the ear is deaf, it has to be louder

    def __init__(self) -> None:
        factor = SAMPLE_RATE // self.RATE
        taps = 10 * factor + 1
        n = np.arange(taps) - taps // 2
        lowpass = np.sinc(2 * 0.42 * n / factor) * np.hamming(taps)
        self._lowpass = (lowpass / lowpass.sum()).astype(np.float32)
        self._factor = factor
        self._window = np.hanning(self.SIZE).astype(np.float32)
        spectra = int((self.MEMORY_S * self.RATE - self.SIZE) / self.HOP) + 1
        self._least = int((self.LEAST_S * self.RATE - self.SIZE) / self.HOP) + 1
        self._spectra = Ring(spectra, round(0.42 * self.SIZE))  # dB
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._tail = np.zeros(0, np.float32)  # at 16 kHz
        self._slow = np.zeros(0, np.float32)  # at RATE
        self._spectra.clear()
        self._new = 0
        self._found: int | None = None

    def feed(self, samples: Samples) -> None:
        """Take samples (n,) at 16 kHz, filtered by the high-pass."""
        buffer = np.concatenate([self._tail, samples])
        count = max(0, (len(buffer) - len(self._lowpass)) // self._factor + 1)
        self._tail = buffer[count * self._factor :]
        if count:
            pieces = sliding_window_view(buffer, len(self._lowpass))[:: self._factor][:count]
            self._slow = np.concatenate([self._slow, np.einsum("ij,j->i", pieces, self._lowpass)])
        while len(self._slow) >= self.SIZE:
            spectrum = np.fft.rfft(self._slow[: self.SIZE] * self._window)[: self._spectra.width]
            power = 8 / self.SIZE**2 * (spectrum.real**2 + spectrum.imag**2)  # of a tone in the bin
            self._spectra.push((10 * np.log10(power + 1e-16)).astype(np.float32)[None])
            self._slow = self._slow[self.HOP :]
            self._new += 1

    def update(self, voice_dbfs: float) -> int | None:
        """Return the frequency of the mains in Hz, 50 or 60, or None. voice_dbfs: level of the voice."""
        if len(self._spectra) >= self._least and self._new >= self.EVERY:
            self._new = 0
            self._found = self._search(voice_dbfs)
        return self._found

    def _search(self, voice_dbfs: float) -> int | None:
        spectra = self._spectra.last(self._spectra.capacity)
        kth = int(self.QUIET * (len(spectra) - 1))
        always = np.partition(spectra, kth, axis=0)[kth]
        best, found = 0.0, None
        for mains in (50, 60):
            centres = np.round(np.arange(1, self.LINES + 1) * mains * self.SIZE / self.RATE).astype(int)
            lines = np.array([always[c - 1 : c + 2].max() for c in centres])
            around = [[*always[max(1, c - 10) : c - 4], *always[c + 5 : c + 11]] for c in centres]
            excess = lines - np.array([np.median(a) for a in around])
            first, second = np.sort(excess)[::-1][:2]
            level_db = dbfs(float((10 ** (lines[excess > self.LINES_DB[0] / 2] / 10)).sum())) - voice_dbfs
            several = second >= self.LINES_DB[0] and level_db >= self.LINES_DB[1]
            single = excess[:2].max() >= self.LINE_DB[0] and level_db >= self.LINE_DB[1]
            if (several or single) and first + second > best:
                best, found = first + second, mains
        return found
