"""Samples in, readings and events out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from ..audio.logmel import HighPass, LogMel
from ..audio.ring import Ring
from ..audio.signal import BLOCK, FULL_SCALE, SAMPLE_RATE, WINDOW, Samples, as_float
from ..errors import InputError, UsageError, numeric
from .detector import Detector, DetectorConfig
from .events import Event, Reading, Reason, Warning_
from .health import HEARD_S, Health
from .model import Model, Output
from .shipped import DEFAULT

ASSUMED_DBFS = -26.0  # the voice's level before any was heard (the nominal level of ITU-T P.56 practice)
VOICE = 0.5  # probability from which someone is taken to speak
REFERENCE_SNR_DB = 10.0  # a voice is measured where little noise adds to its level
REFERENCE_TIME_S = 2.0  # of the average over such measurements
MAX_HOP_S = 60.0
REST_S = 0.5  # a stream that ends this long after its last decision gets another one


class NoiseDetector:
    """A loaded network, from which any number of streams can be opened, on any thread.

    >>> detector = NoiseDetector()
    >>> stream = detector.stream()
    >>> for reading in stream.push(samples, sample_rate=48_000):
    ...     print(reading.state, reading.noise)
    """

    def __init__(self, model: str | Path = DEFAULT) -> None:
        """Load a shipped model by name, or an ONNX file. Raises ModelError when it does not fit."""
        self.model = Model(model)

    def stream(
        self, *, hop: float | None = None, threshold: float | None = None, config: DetectorConfig | None = None
    ) -> Stream:
        """A new stream. hop: s between decisions, a multiple of 0.01; threshold: noise from this probability on.

        Both come from the model's card unless given. config: the threshold and all times of the verdict instead.
        Raises UsageError for values out of range, and for a threshold beside a config.
        """
        return Stream(self.model, hop=hop, threshold=threshold, config=config)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a NoiseDetector cannot be pickled or copied: it holds a network that is loaded in this process. Hand "
            f"the name of the model over instead, and load it there: NoiseDetector({str(self.model.path)!r})."
        )


class Stream:
    """One stream of audio: the rolling window and the verdict on it. Not for two threads at once."""

    def __init__(
        self,
        model: Model,
        *,
        hop: float | None = None,
        threshold: float | None = None,
        config: DetectorConfig | None = None,
    ) -> None:
        self.hop_s = numeric("hop", model.card.hop_s if hop is None else hop)
        self._hop = round(self.hop_s * SAMPLE_RATE) if 0.01 <= self.hop_s <= MAX_HOP_S else 0
        on_grid = self._hop % model.card.frontend.hop == 0 and abs(self._hop - self.hop_s * SAMPLE_RATE) < 1e-6
        if not self._hop or not on_grid:
            raise UsageError(
                f"the hop is {self.hop_s} s; allowed: multiples of 0.01 s from 0.01 to {MAX_HOP_S:.0f}. "
                "0.1 suits a meter, 0.5 a recording."
            )
        if config is None:
            config = DetectorConfig(threshold=model.card.threshold if threshold is None else threshold)
        elif threshold is not None:
            raise UsageError(
                f"the threshold is {threshold} and {config.threshold} in the config. Give one of the two."
            )
        self.detector = Detector(config, hop_s=self.hop_s)
        self.model = model
        self.skipped = 0  # decisions left out because the input was ahead
        self._highpass = HighPass(model.card.frontend)
        self._logmel = LogMel(model.card.frontend)
        self._frames = Ring(model.frames, model.card.frontend.n_mels)
        self._health = Health(WINDOW)
        self._state = model.initial_state()
        self._reference_dbfs: float | None = None
        self._samples = 0  # of the stream, at 16 kHz
        self._since_gap = 0  # samples since the stream began or was interrupted
        self._next = WINDOW  # of _since_gap: where the next decision is due
        self._resampler: soxr.ResampleStream | None = None
        self._rate = SAMPLE_RATE
        self._unlimited_from = math.inf  # s: when samples first passed full scale, which fixed-point ones cannot
        self._decided = 0  # of _since_gap: where the last decision was made
        self._paused = False
        self._lost = 0  # samples that never arrived
        self._lost_s = 0.0  # the same, since the input was lost

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Stream cannot be pickled or copied: it holds a network that is loaded in this process. Open a "
            "stream of a NoiseDetector in the other process, and push the samples there."
        )

    @property
    def time(self) -> float:
        """Seconds of stream time: what was heard, and what should have been."""
        return self._samples / SAMPLE_RATE

    @property
    def heard_s(self) -> float:
        """Seconds of audio: stream time without what never arrived."""
        return (self._samples - self._lost) / SAMPLE_RATE

    @property
    def warming_up_s(self) -> float:
        """Seconds still missing from the first window; 0 once there are readings."""
        return max(0, WINDOW - self._since_gap) / SAMPLE_RATE

    @property
    def level_dbfs(self) -> float | None:
        """Level of the last 0.1 s; None in digital silence and before there is anything."""
        return self._health.level_dbfs(10)

    @property
    def reference_dbfs(self) -> float:
        """The voice level that a silence is judged against."""
        return ASSUMED_DBFS if self._reference_dbfs is None else self._reference_dbfs

    def window(self) -> NDArray[np.float32]:
        """A copy of the log-Mel frames of the present window: (<= 298, 40)."""
        return self._frames.last(self._frames.capacity).copy()

    def push(self, samples: ArrayLike, *, sample_rate: int = SAMPLE_RATE) -> list[Reading]:
        """Take samples (n,), float in -1..1 or int16, of any length and rate; return the readings now due.

        Floats may have any width, and both any byte order. Raises InputError for samples that are not mono, not
        finite, or of a type whose full scale is not certain; UsageError for a rate that is no number.
        """
        return [item for item in self.process(samples, sample_rate=sample_rate) if isinstance(item, Reading)]

    def process(
        self, samples: ArrayLike, *, sample_rate: int = SAMPLE_RATE, behind: bool = False
    ) -> list[Reading | Event]:
        """Like `push`, with the events between the readings, in the order in which they were made.

        behind: the input is ahead of us; of several decisions due make only the last, and mark it late.
        """
        if not 1_000 <= numeric("sample rate", sample_rate) <= 768_000:
            raise InputError(f"the sample rate is {sample_rate} Hz; allowed: 1000 to 768000.")
        x = as_float(samples, self.time, sample_rate)
        if self._unlimited_from == math.inf and np.abs(x).max(initial=0.0) > FULL_SCALE:
            self._unlimited_from = self.time + int(np.argmax(np.abs(x) > FULL_SCALE)) / sample_rate
        made: list[Reading | Event] = []
        if self._paused and len(x):
            self._paused = False
            made.append(Event("input_back", self.time, onset=self.time))
        return made + self._judge(self._resampled(x, sample_rate), behind=behind)

    def _judge(self, x: Samples, *, behind: bool = False) -> list[Reading | Event]:
        """Take samples at 16 kHz."""
        made: list[Reading | Event] = []
        while len(x):
            due = self._next - self._since_gap
            part, x = x[:due], x[due:]
            heard = self._highpass.feed(part)
            self._frames.push(self._logmel.feed(heard))
            self._health.feed(part, heard)
            self._samples += len(part)
            self._since_gap += len(part)
            if self._since_gap < self._next:
                break
            self._next += self._hop
            if behind and len(x) >= self._hop:
                self.skipped += 1
            else:
                made += self._decide(("late",) if behind else ())
        return made

    def pause(self) -> list[Reading | Event]:
        """The input sends nothing for now, and nothing is lost: say so. What comes next continues the stream."""
        events = []
        if not self._paused and not self.detector.lost:
            self._paused = True
            events = [Event("input_lost", self.time, onset=self.time, reason="stalled")]
        reading = Reading(self.time, None, None, None, None, "unknown", "stalled", (), self._reference)
        return [reading, *events]

    def lose(self, reason: Reason, lost_s: float = 0.0) -> list[Reading | Event]:
        """The input stopped sending: say so, and begin a new window when it comes back.

        lost_s: what it sent and never arrived. Stream time jumps over it.
        """
        self._highpass.reset()
        self._logmel.reset()
        self._frames.clear()
        self._health.reset()
        self._resampler = None
        self._state = self.model.initial_state()
        self._since_gap, self._next, self._decided = 0, WINDOW, 0
        state, events = self.detector.lose(self.time, reason)
        reading = Reading(self.time, None, None, None, None, state, reason, (), self._reference)
        if lost_s:
            events = [replace(e, lost_s=lost_s) if e.event == "input_lost" else e for e in events]
            self._lost_s += lost_s
            lost = round(lost_s * SAMPLE_RATE)
            self._samples, self._lost = self._samples + lost, self._lost + lost
        return [reading, *events]

    def finish(self) -> list[Reading | Event]:
        """The stream ended: judge what is left, shorter than a window or a hop, and end what was going on."""
        made = self._judge(self._rest())
        if not self._decided and 0 < self._samples == self._since_gap < WINDOW:
            made += self._decide(("short",))
        elif self._decided and self._since_gap - self._decided >= REST_S * SAMPLE_RATE:
            made += self._decide(())
        return [*made, *self.detector.finish(self.time)]

    def _resampled(self, samples: Samples, rate: int) -> Samples:
        rest = np.zeros(0, np.float32)
        if rate != self._rate:
            rest, self._rate = self._rest(), rate
        if rate != SAMPLE_RATE:
            if self._resampler is None:
                self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
            samples = np.asarray(self._resampler.resample_chunk(samples), np.float32)
        return np.concatenate([rest, samples]) if len(rest) else samples

    def _rest(self) -> Samples:
        """What the resampler still holds: some milliseconds."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        rest = np.asarray(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True), np.float32)
        self._resampler = None
        return rest

    @property
    def _reference(self) -> Literal["heard", "assumed"]:
        return "assumed" if self._reference_dbfs is None else "heard"

    def _decide(self, warnings: tuple[Warning_, ...]) -> list[Reading | Event]:
        made = self._verdict(warnings)
        if self._lost_s:  # known in part only when the input came back
            for number, item in enumerate(made):
                if isinstance(item, Event) and item.event == "input_back":
                    made[number] = replace(item, lost_s=self._lost_s)
                    self._lost_s = 0.0
        return made

    def _verdict(self, warnings: tuple[Warning_, ...]) -> list[Reading | Event]:
        health, time = self._health, self.time
        level = health.level_dbfs(min(self._hop, self._since_gap - self._decided) // BLOCK)
        self._decided = self._since_gap
        reason: Reason | None = "too_short" if self._since_gap < HEARD_S * SAMPLE_RATE else health.reason()
        if reason is not None:
            state, events = self.detector.update(time, None, reason)
            return [Reading(time, None, None, None, level, state, reason, warnings, self._reference), *events]
        output, reference = self._run(), self._reference
        spoken = output.voice >= VOICE
        snr_db = output.snr_db if spoken else None
        state, events = self.detector.update(time, output.noise, snr_db=snr_db, level_dbfs=level)
        if spoken and output.snr_db >= REFERENCE_SNR_DB:
            self._hear(health.active_dbfs())
        warnings = (*health.warnings(unlimited=time >= self._unlimited_from), *warnings)
        return [Reading(time, output.noise, snr_db, output.voice, level, state, None, warnings, reference), *events]

    def _run(self) -> Output:
        frames = self._frames.last(self.model.frames)
        if len(frames) < self.model.frames:  # a short file: over what there is, again and again
            frames = np.resize(frames, (self.model.frames, frames.shape[1]))
        output, self._state = self.model(frames, self.reference_dbfs, self._state)
        return output

    def _hear(self, dbfs: float) -> None:
        if self._reference_dbfs is None:
            self._reference_dbfs = dbfs
        share = 1 - math.exp(-self.hop_s / REFERENCE_TIME_S)
        self._reference_dbfs += share * (dbfs - self._reference_dbfs)
