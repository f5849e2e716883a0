"""Samples in, readings and events out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..audio.highpass import HighPass
from ..audio.logmel import LogMel
from ..audio.resampler import Resampler
from ..audio.ring import Ring
from ..audio.signal import BLOCK, FULL_SCALE, SAMPLE_RATE, WINDOW, Samples, as_float
from ..errors import InputError, UsageError, numeric
from .detector import Detector, DetectorConfig
from .events import VOICE, Event, Reading, Reason, WarningName
from .health import HEARD_S, Health
from .model import Model, Output
from .reference import MEASURED_SNR_DB, Reference
from .traces import Traces

HOP_RANGE_S = (0.01, 60.0)
RATES = (1_000, 768_000)  # Hz
WIDEST_DB = 15.0  # an SNR whose central 80 % spreads further than this below 28 dB is not reported
REST_S = 0.5  # a stream that ends this long after its last decision gets a final one


class Stream:
    """One stream of audio: the rolling window of the last 3 s, and the verdict on it.

    Push blocks of any length as they arrive. The first reading is due after exactly 3 s of audio, then one
    every hop. Readings do not depend on how the audio is split into blocks. Time is counted in samples, so a file
    gives the same readings as it would live, only sooner. Use a stream from one thread at a time.

    >>> stream = NoiseDetector().stream(hop=0.5)
    >>> for block in blocks:
    ...     for item in stream.process(block, sample_rate=44_100):
    ...         print(item.json())  # a Reading or an Event
    >>> for item in stream.finish():
    ...     print(item.json())

    hop_s     s between decisions
    model     the network
    detector  the state machine; `stream.detector.config` holds the thresholds in use
    skipped   decisions skipped so far because the input was ahead
    """

    def __init__(
        self,
        model: Model,
        *,
        hop: float | None = None,
        threshold: float | None = None,
        config: DetectorConfig | None = None,
    ) -> None:
        """A stream judged by `model`; options as in `NoiseDetector.stream`."""
        frontend = model.card.frontend
        self.hop_s = numeric("hop", model.card.hop_s if hop is None else hop)
        self._hop = _hop_samples(self.hop_s, frontend.hop)
        if config is None:
            config = DetectorConfig(threshold=model.card.threshold if threshold is None else threshold)
        elif threshold is not None:
            raise UsageError(
                f"the threshold is {threshold}, but {config.threshold} in the config. Give one of the two."
            )
        self.detector = Detector(config, hop_s=self.hop_s)
        self.model = model
        self.skipped = 0
        self._resampler = Resampler()
        self._highpass = HighPass(frontend)
        self._logmel = LogMel(frontend)
        self._frames = Ring(model.frames, frontend.n_mels)
        self._health = Health(WINDOW)
        self._traces = Traces(frontend)
        self._state = model.initial_state()
        self._reference = Reference(self.hop_s)
        self._samples = 0  # of the stream, at 16 kHz
        self._since_gap = 0  # samples since the stream began or was interrupted
        self._next = WINDOW  # _since_gap at which the next decision is due
        self._decided = 0  # _since_gap at the last decision
        self._unlimited_from = math.inf  # s: when floats first exceeded full scale, which rules out clipping at 1.0
        self._paused = False
        self._lost = 0  # samples that never arrived
        self._lost_s = 0.0  # the same in s, since the input was lost

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Stream cannot be pickled or copied: it holds a network that is loaded in this process. Open a "
            "stream from a NoiseDetector in the other process, and push the samples there."
        )

    @property
    def time(self) -> float:
        """Stream time, s: the audio pushed so far, plus what was lost in between."""
        return self._samples / SAMPLE_RATE

    @property
    def heard_s(self) -> float:
        """The audio pushed so far, s: stream time without what was lost."""
        return (self._samples - self._lost) / SAMPLE_RATE

    @property
    def warming_up_s(self) -> float:
        """Audio still needed for the first window, s; 0 once readings are due."""
        return max(0, WINDOW - self._since_gap) / SAMPLE_RATE

    @property
    def level_dbfs(self) -> float | None:
        """RMS level of the last 0.1 s, dBFS; None in digital silence and before the first audio."""
        return self._health.level_dbfs(10)

    @property
    def reference_dbfs(self) -> float:
        """The voice level that pauses in speech are judged against, dBFS."""
        return self._reference.dbfs

    def window(self) -> NDArray[np.float32]:
        """A copy of the log-Mel frames in the current window: (frames, n_mels) float32, up to (298, 40)."""
        return self._frames.last(self._frames.capacity).copy()

    def push(self, samples: ArrayLike, *, sample_rate: int = SAMPLE_RATE) -> list[Reading]:
        """Take the next samples and return the readings that are now due: none, one or many.

        samples: (n,), one channel, any n. Floats of any width in -1..1, or int16; any byte order. sample_rate: Hz,
        1000 to 768000; it may change between calls. Events are dropped; `process` returns them, too.

        Raises InputError for samples that are not mono, not finite, or of another type, and for a rate out of
        range; UsageError for a rate that is not a number.
        """
        return [item for item in self.process(samples, sample_rate=sample_rate) if isinstance(item, Reading)]

    def process(
        self, samples: ArrayLike, *, sample_rate: int = SAMPLE_RATE, behind: bool = False
    ) -> list[Reading | Event]:
        """Like `push`, with the events among the readings: each directly after the reading that caused it.

        behind: a live input is ahead of the caller. If several decisions are due, only the last is made, with
        the warning `late`, and `skipped` counts the others.
        """
        if not RATES[0] <= numeric("sample rate", sample_rate) <= RATES[1]:
            raise InputError(f"the sample rate is {sample_rate} Hz; allowed: {RATES[0]} to {RATES[1]}.")
        x = as_float(samples, self.time, sample_rate)
        if self._unlimited_from == math.inf and np.abs(x).max(initial=0.0) > FULL_SCALE:
            self._unlimited_from = self.time + int(np.argmax(np.abs(x) > FULL_SCALE)) / sample_rate
        items: list[Reading | Event] = []
        if self._paused and len(x):
            self._paused = False
            items.append(Event("input_back", self.time, onset=self.time))
        return items + self._judge(self._resampler.feed(x, sample_rate), behind=behind)

    def pause(self) -> list[Reading | Event]:
        """The input sends nothing for now, but no audio is lost: the next samples continue the window.

        Returns an `unknown` reading with the reason `stalled`; the first time, also `input_lost`.
        """
        events = []
        if not self._paused and not self.detector.lost:
            self._paused = True
            events = [Event("input_lost", self.time, onset=self.time, reason="stalled")]
        return [self._unknown("stalled"), *events]

    def lose(self, reason: Reason, lost_s: float = 0.0, *, moved: bool = False) -> list[Reading | Event]:
        """The input stopped, or audio was lost: the next samples begin a new window.

        lost_s: how much audio was lost, s, if known. Stream time advances by it. moved: what follows comes from
        another device, whose gain is not known. Returns an `unknown` reading and, unless the input was already
        lost, `noise_end` for a noise that was on, and `input_lost`.
        """
        self._samples += len(self._resampler.flush())  # what the filter still held was heard, but is not judged
        self._highpass.reset()
        self._logmel.reset()
        self._frames.clear()
        self._health.reset()
        self._traces.reset()
        if moved:
            self._reference, self._unlimited_from = Reference(self.hop_s), math.inf
        self._state = self.model.initial_state()
        self._since_gap, self._next, self._decided = 0, WINDOW, 0
        _, events = self.detector.lose(self.time, reason)
        reading = self._unknown(reason)
        if lost_s:
            events = [replace(e, lost_s=lost_s) if e.event == "input_lost" else e for e in events]
            self._lost_s += lost_s
            lost = round(lost_s * SAMPLE_RATE)
            self._samples, self._lost = self._samples + lost, self._lost + lost
        return [reading, *events]

    def finish(self) -> list[Reading | Event]:
        """The stream has ended: judge the rest, and end a noise that is on. Call it once; push nothing after it.

        Audio shorter than 3 s gets its only reading here, with the warning `short`.
        """
        items = self._judge(self._resampler.flush())
        if not self._decided and 0 < self._samples == self._since_gap < WINDOW:
            items += self._decide(("short",))
        elif self._decided and self._since_gap - self._decided >= REST_S * SAMPLE_RATE:
            items += self._decide(())
        return [*items, *self.detector.finish(self.time)]

    def _judge(self, x: Samples, *, behind: bool = False) -> list[Reading | Event]:
        """Take samples (n,) at 16 kHz and make the decisions that are due."""
        items: list[Reading | Event] = []
        while len(x):
            due = self._next - self._since_gap
            part, x = x[:due], x[due:]
            audible = self._highpass.feed(part)
            frames = self._logmel.feed(audible)
            self._frames.push(frames)
            self._health.feed(part, audible)
            self._traces.feed(audible, frames)
            self._samples += len(part)
            self._since_gap += len(part)
            if self._since_gap < self._next:
                break
            self._next += self._hop
            if behind and len(x) >= self._hop:
                self.skipped += 1
            else:
                items += self._decide(("late",) if behind else ())
        return items

    def _decide(self, warnings: tuple[WarningName, ...]) -> list[Reading | Event]:
        """The reading of the current window, and its events."""
        reading, events = self._verdict(warnings)
        if reading.warnings:
            events = [replace(event, warnings=reading.warnings) for event in events]
        if self._lost_s:  # the whole loss is known only now that the input is back
            for number, event in enumerate(events):
                if event.event == "input_back":
                    events[number] = replace(event, lost_s=self._lost_s)
                    self._lost_s = 0.0
        return [reading, *events]

    def _verdict(self, warnings: tuple[WarningName, ...]) -> tuple[Reading, list[Event]]:
        health, time = self._health, self.time
        level = health.level_dbfs(min(self._hop, self._since_gap - self._decided) // BLOCK)
        self._decided = self._since_gap
        reason: Reason | None = (
            "too_short" if self._since_gap < HEARD_S * SAMPLE_RATE else health.reason(self._reference.dbfs)
        )
        if reason is not None:
            _, events = self.detector.update(time, None, reason)
            return self._unknown(reason, level, warnings), events
        output, origin = self._run(), self._reference.origin
        spoken = output.voice >= VOICE
        sure = output.snr_width_db is None or output.snr_width_db <= WIDEST_DB
        snr_db = output.snr_db if spoken and sure else None
        state, events = self.detector.update(time, output.noise, snr_db=snr_db, level_dbfs=level)
        if spoken and output.snr_db >= MEASURED_SNR_DB:
            self._reference.add(health.active_dbfs())
        window = self._frames.last(self._frames.capacity)
        traces = self._traces.warnings(window, self._reference.dbfs, spoken=spoken)
        warnings = (*health.warnings(unlimited=time >= self._unlimited_from), *traces, *warnings)
        hum_hz = self._traces.hum_hz
        return Reading(
            time, output.noise, snr_db, output.voice, level, state, None, warnings, origin, hum_hz
        ), events

    def _unknown(
        self, reason: Reason, level_dbfs: float | None = None, warnings: tuple[WarningName, ...] = ()
    ) -> Reading:
        origin = self._reference.origin
        return Reading(self.time, None, None, None, level_dbfs, "unknown", reason, warnings, origin)

    def _run(self) -> Output:
        frames = self._frames.last(self.model.frames)
        if len(frames) < self.model.frames:  # a stream shorter than a window is repeated until it fills one
            frames = np.resize(frames, (self.model.frames, frames.shape[1]))
        output, self._state = self.model(frames, self._reference.dbfs, self._state)
        return output


def _hop_samples(hop_s: float, grid: int) -> int:
    """A hop in samples, a multiple of the front end's hop. Raises UsageError."""
    low, high = HOP_RANGE_S
    if low <= hop_s <= high:
        samples = round(hop_s * SAMPLE_RATE)
        if samples % grid == 0 and abs(samples - hop_s * SAMPLE_RATE) < 1e-6:
            return samples
    raise UsageError(
        f"the hop is {hop_s} s; allowed: multiples of {low} s from {low} to {high:.0f}. "
        "0.1 suits a meter, 0.5 a recording."
    )
