"""Traces that a line, a cable or a program leaves in a signal: a band limit, mains hum, gain control, suppression.

Each needs more than a window, so each remembers what it heard, until the stream is interrupted. The numbers were
chosen on recordings that are not test data; `benchmarks/input_warnings.py` counts how many cases are found.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..audio.levels import dbfs
from ..audio.logmel import MELS, FrontendConfig, mel_edges
from ..audio.ring import Ring
from ..audio.signal import SAMPLE_RATE, Samples
from .events import WarningName
from .suppression import Suppression

DB = 10 / np.log(10)  # of one unit of log-Mel power
SILENT_DB = DB * np.log(FrontendConfig.log_floor) + 3  # log-Mel power of digital silence, and a little more


class Traces:
    """All of them, for one stream."""

    def __init__(self, config: FrontendConfig) -> None:
        self._band_limit, self._hum, self._gain = BandLimit(config), Hum(), GainRiding()
        self._suppression = Suppression()
        self.hum_hz: int | None = None  # frequency of the mains, if it hums

    def reset(self) -> None:
        """Forget what was heard."""
        self._band_limit.reset()
        self._hum.reset()
        self._gain.reset()
        self._suppression.reset()
        self.hum_hz = None

    def feed(self, samples: Samples, frames: NDArray[np.float32]) -> None:
        """Take samples (n,) at 16 kHz, filtered by the high-pass, and their log-Mel frames (m, n_mels)."""
        self._hum.feed(samples)
        self._gain.feed(frames)
        self._suppression.feed(samples)

    def warnings(self, window: NDArray[np.float32], voice_dbfs: float) -> Iterator[WarningName]:
        """Yield what there is.

        window: log-Mel frames (n, n_mels) of the current window. voice_dbfs: level of the voice in this stream.
        `suppressed` says something only where someone speaks.
        """
        if self._band_limit.update(window):
            yield "band_limited"
        self.hum_hz = self._hum.update(voice_dbfs)
        if self.hum_hz is not None:
            yield "hum"
        if self._gain.present:
            yield "gain_riding"
        if self._suppression.present:
            yield "suppressed"


class BandLimit:
    """Whether nothing above 4 kHz arrives: telephone lines, and the headset profile of Bluetooth.

    Compares the loudest frame of the window above 4.5 kHz with the loudest from 0.3 to 3.3 kHz. A voice in full
    bandwidth is 10 to 45 dB weaker there, one that was sampled at 8 kHz 70 dB or more. A pause shows neither.
    """

    LIMITED_DB = -60.0  # at or below: limited
    FULL_DB = -54.0  # above: in full bandwidth
    FADE_DB = 0.1  # a window: what was decided on a loud voice is decided anew on a quieter one after a while
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
        elif difference > self.FULL_DB:
            if speech > self._decided_at - self.PAUSE_DB:
                self._present, self._decided_at = False, speech
            else:
                self._decided_at -= self.FADE_DB
        return self._present


class GainRiding:
    """Whether the floor rises while nobody speaks, as automatic gain control does.

    In each pause, in steps of 0.1 s, the floor is followed from its lowest point to the highest one after it, in
    five parts of the spectrum. A gain lifts all of them alike and steadily; a breath or a passing car does not. Two
    such pauses within 30 s are needed, or a large rise.
    """

    STEP = 10  # frames (0.1 s)
    PARTS = 5  # of the spectrum, without the lowest and highest bands
    QUIET_DB = 14.0  # below the loudest steps: a pause
    RISE_DB = 4.0  # of all parts together
    LEAST_SHARE = 0.75  # of that, of the part that rises least
    DIP_DB, STEADY_SHARE = 0.7, 0.85  # so many of the steps fall by no more than this
    STEPS = 3  # of a rise, at least
    STRONG_DB, STRONG_SHARE = 7.0, 0.85  # a rise of this much, with all parts this much alike, counts twice
    TIMES, WITHIN = 2, 300  # so many rises within so many steps

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._rest = np.zeros((0, MELS), np.float32)
        self._levels: deque[float] = deque()  # of the last steps, dB
        self._sorted: list[float] = []
        self._pause: list[NDArray[np.float32]] = []  # parts (PARTS,) of each step since the voice stopped, dB
        self._count = 0  # steps so far
        self._risen: deque[int] = deque()  # steps at which a pause with a rise ended

    @property
    def present(self) -> bool:
        """Whether it was seen often enough lately."""
        while self._risen and self._risen[0] < self._count - self.WITHIN:
            self._risen.popleft()
        return len(self._risen) >= self.TIMES

    def feed(self, frames: NDArray[np.float32]) -> None:
        """Take log-Mel frames (n, n_mels)."""
        frames = np.concatenate([self._rest, frames])
        whole = len(frames) // self.STEP * self.STEP
        self._rest = frames[whole:]
        for start in range(0, whole, self.STEP):
            step = frames[start : start + self.STEP]
            halves = np.exp(step).sum(1).reshape(2, -1).mean(1)
            self._add(float(10 * np.log10(halves.max())), step)

    def _add(self, level: float, step: NDArray[np.float32]) -> None:
        self._count += 1
        self._levels.append(level)
        insort(self._sorted, level)
        if len(self._levels) > self.WITHIN:
            del self._sorted[bisect_left(self._sorted, self._levels.popleft())]
        if level < self._sorted[int(0.95 * (len(self._sorted) - 1))] - self.QUIET_DB:
            self._pause.append(step[:, 3:-2].mean(0).reshape(self.PARTS, -1).mean(1) * np.float32(DB))
            return
        # The first step holds the end of a word, and the last may hold the beginning of one.
        self._risen.extend([self._count] * self._rises(self._pause[1:-1]))
        self._pause = []

    def _rises(self, steps: list[NDArray[np.float32]]) -> int:
        """How often a pause counts: 0 to 2."""
        if len(steps) < self.STEPS:
            return 0
        parts = np.array(steps)  # (n, PARTS)
        floor = parts.mean(1)
        low = int(np.argmin(floor[:-2]))
        high = low + int(np.argmax(floor[low:]))
        if parts[low].min() < SILENT_DB:  # no floor, but digital silence
            return 0
        rise = floor[high] - floor[low]
        if high - low < self.STEPS or rise < self.RISE_DB:
            return 0
        share = (parts[high] - parts[low]).min() / rise
        steady = (np.diff(floor[low : high + 1]) > -self.DIP_DB).mean() >= self.STEADY_SHARE
        if not steady or share < self.LEAST_SHARE:
            return 0
        return 2 if rise >= self.STRONG_DB and share >= self.STRONG_SHARE else 1


MAINS_HZ = 50, 60


class Hum:
    """Whether a steady tone at 50 or 60 Hz or at their multiples lies under everything else.

    The quietest tenth of the spectra of half a second, band by band over 6 s, shows what is always there. A
    line of the mains stands out from its neighbourhood, and is loud enough to hear beside the voice.
    """

    RATE = 1000  # Hz, after decimation
    SIZE, HOP = 512, 128  # of a spectrum, samples at that rate
    MEMORY_S, LEAST_S = 6.0, 2.4
    AT_ONCE = 8000  # samples at 16 kHz: small pieces cost as much as large ones
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
        centres = np.outer(MAINS_HZ, np.arange(1, self.LINES + 1)) * self.SIZE / self.RATE
        bins = np.round(centres).astype(int)[:, :, None]  # (mains, LINES, 1)
        self._lines = bins + np.arange(-1, 2)
        self._around = np.maximum(1, bins + np.array([*range(-10, -4), *range(5, 11)]))
        spectra = int((self.MEMORY_S * self.RATE - self.SIZE) / self.HOP) + 1
        self._least = int((self.LEAST_S * self.RATE - self.SIZE) / self.HOP) + 1
        self._spectra = Ring(spectra, round(0.445 * self.SIZE))  # dB
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._waiting: list[Samples] = []
        self._count = 0  # samples waiting
        self._tail = np.zeros(0, np.float32)  # at 16 kHz
        self._slow = np.zeros(0, np.float32)  # at RATE
        self._spectra.clear()
        self._new = 0
        self._found: int | None = None

    def feed(self, samples: Samples) -> None:
        """Take samples (n,) at 16 kHz, filtered by the high-pass. They are analysed half a second at a time."""
        self._waiting.append(samples)
        self._count += len(samples)
        if self._count < self.AT_ONCE:
            return
        new = np.concatenate(self._waiting)
        whole = len(new) // self.AT_ONCE * self.AT_ONCE
        self._waiting, self._count = [new[whole:]], len(new) - whole
        buffer = np.concatenate([self._tail, new[:whole]])
        count = (len(buffer) - len(self._lowpass)) // self._factor + 1
        self._tail = buffer[count * self._factor :]
        pieces = sliding_window_view(buffer, len(self._lowpass))[:: self._factor][:count]
        self._slow = np.concatenate([self._slow, np.einsum("ij,j->i", pieces, self._lowpass)])
        count = max(0, (len(self._slow) - self.SIZE) // self.HOP + 1)
        if count:
            frames = sliding_window_view(self._slow, self.SIZE)[:: self.HOP][:count]
            spectra = np.fft.rfft(frames * self._window)[:, : self._spectra.width]
            power = 8 / self.SIZE**2 * (spectra.real**2 + spectra.imag**2)  # of a tone in the bin
            self._spectra.push((10 * np.log10(power + 1e-16)).astype(np.float32))
            self._slow = self._slow[count * self.HOP :]
            self._new += count

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
        lines = always[self._lines].max(2)  # (mains, LINES) dB
        around = np.sort(always[self._around], axis=2)
        middle = around.shape[2] // 2
        excess = lines - (around[:, :, middle - 1] + around[:, :, middle]) / 2
        best, found = 0.0, None
        for mains, level, above in zip(MAINS_HZ, lines, excess, strict=True):
            first, second = np.sort(above)[::-1][:2]
            level_db = dbfs(float((10 ** (level[above > self.LINES_DB[0] / 2] / 10)).sum())) - voice_dbfs
            several = second >= self.LINES_DB[0] and level_db >= self.LINES_DB[1]
            single = above[:2].max() >= self.LINE_DB[0] and level_db >= self.LINE_DB[1]
            if (several or single) and first + second > best:
                best, found = first + second, mains
        return found
