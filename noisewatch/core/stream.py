"""Samples in, readings and events out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..audio.front_end import FrontEnd
from ..audio.resampler import Resampler
from ..audio.ring import Ring
from ..audio.signal import BLOCK, FULL_SCALE, SAMPLE_RATE, WINDOW, Samples, as_float
from ..errors import InputError, UsageError, numeric
from .detector import BUSY_S, Detector, DetectorConfig
from .estimates import Estimates, Judging
from .events import KINDS, VOICE, Event, Kind, Reading, Reason, WarningName
from .health import HEARD_S, Health
from .model import HEARD_DB, Model, Output
from .reference import MEASURED_SNR_DB, Reference
from .traces import Traces

HOP_RANGE_S = (0.01, 60.0)
RATES = (1_000, 768_000)  # Hz
WIDEST_DB = 15.0  # an SNR whose central 80 % spreads further than this below 28 dB is not reported
NAMED = 0.8  # least probability of a kind that is named: 87 % are right then, on validation windows
AT_ONCE = 10 * SAMPLE_RATE  # samples that go through the front end in one call
REST_S = 0.5  # a stream that ends this long after its last decision gets a final one


@dataclass(frozen=True)
class Moment:
    """What is known of a window before the network is asked."""

    time: float  # s of stream time: the end of the window
    due: bool  # for a reading; else only for the detector
    level_dbfs: float | None  # since the moment before
    since_dbfs: float | None  # level since the last reading
    active_dbfs: float  # active level of the window
    reason: Reason | None
    warnings: tuple[WarningName, ...]
    hum_hz: int | None


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
            config = DetectorConfig(model.card.threshold if threshold is None else threshold)
        elif threshold is not None:
            raise UsageError(
                f"the threshold is {threshold}, but {config.threshold} in the config. Give one of the two."
            )
        self._tick = self._hop  # samples between two decisions of the detector
        if model.step:
            self._tick = model.step * frontend.hop
            if self._hop % self._tick:
                raise UsageError(
                    f"the hop is {self.hop_s} s; {model.card.name} allows multiples of {model.card.step_s:g} s."
                )
        tick_s = self._tick / SAMPLE_RATE
        self.detector = Detector(config.timed(model.card.lead_s, model.card.trail_s), hop_s=tick_s)
        self.model = model
        self.skipped = 0
        self._resampler = Resampler()
        self._front_end = FrontEnd(frontend)
        self._frames = Ring(model.frames + max(0, model.step - 1), frontend.n_mels)
        self._health = Health(WINDOW)
        self._traces = Traces(frontend)
        self._estimates = Estimates(model, self._frames)
        self._reference = Reference(tick_s)
        self._measured: list[float] = []  # levels of voices that the reference does not count yet
        self._moments: list[Moment] = []  # that wait for their estimates
        self._warned: tuple[WarningName, ...] = ()  # of the last reading
        self._restarted = False  # since the last reading
        self._samples = 0  # of the stream, at 16 kHz
        self._since_gap = 0  # samples since the stream began or was interrupted
        self._next = self._first_tick  # _since_gap at which the network and the detector are due
        self._decided = 0  # _since_gap at the last reading
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
    def lag_s(self) -> float:
        """Upper bound on the time from the end of a noise to its `noise_end`, s."""
        config = self.detector.config
        held_s = max(config.min_off_s, config.min_lost_s, self.hop_s, BUSY_S if self.model.step else 0.0)
        return float((config.trail_s or 0.0) + self.hop_s / 2 + held_s)

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
        return self._frames.last(self.model.frames).copy()

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
        """Like `push`, with the events among the readings: each directly after the reading that caused it, or
        before the next one if a streaming model told it between the two.

        behind: a live input is ahead of the caller. If several decisions are due, only the last is made, with
        the warning `late`, and `skipped` counts the others.
        """
        return self._estimates.alone(self.judging(samples, sample_rate, behind=behind))

    def judging(
        self, samples: ArrayLike, sample_rate: int, *, behind: bool = False
    ) -> Judging[list[Reading | Event]]:
        """`process` as a generator that yields what it asks a streaming network, for `estimates.together`.

        Raises what `process` raises at once, before anything of the block is taken.
        """
        if not RATES[0] <= numeric("sample rate", sample_rate) <= RATES[1]:
            raise InputError(f"the sample rate is {sample_rate} Hz; allowed: {RATES[0]} to {RATES[1]}.")
        x = as_float(samples, self.time, sample_rate)
        if self._unlimited_from == math.inf and np.abs(x).max(initial=0.0) > FULL_SCALE:
            self._unlimited_from = self.time + int(np.argmax(np.abs(x) > FULL_SCALE)) / sample_rate
        back: list[Reading | Event] = []
        if self._paused and len(x):
            self._paused = False
            back.append(Event("input_back", self.time, onset=self.time))
        return self._judge(self._resampler.feed(x, sample_rate), behind=behind, before=back)

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
        self._front_end.reset()
        self._frames.clear()
        self._health.reset()
        self._traces.reset()
        if moved:
            self._reference, self._unlimited_from = Reference(self.detector.hop_s), math.inf
        self._estimates.reset()
        self._measured.clear()
        self._moments.clear()
        self._since_gap, self._next, self._decided = 0, self._first_tick, 0
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
        items = self._estimates.alone(self._judge(self._resampler.flush()))
        if not self._decided and 0 < self._samples == self._since_gap < WINDOW:
            items += self._conclude(
                self._moment(("short",), due=True), self._estimates.of_window(self.reference_dbfs)
            )
        elif self._decided and self._since_gap - self._decided >= REST_S * SAMPLE_RATE:
            items += self._conclude(self._moment((), due=True), self._estimates.of_window(self.reference_dbfs))
        return [*items, *self.detector.finish(self.time)]

    @property
    def _first_tick(self) -> int:
        """Samples until the first tick: a streaming network takes frames from the beginning."""
        return self._tick if self.model.step else WINDOW

    def _judge(
        self, x: Samples, *, behind: bool = False, before: Sequence[Reading | Event] = ()
    ) -> Judging[list[Reading | Event]]:
        """Take samples (n,) at 16 kHz and make the decisions that are due. Yields questions to the network."""
        items = [*before]
        ahead = 0
        while len(x):
            if not ahead:
                ahead = min(len(x), AT_ONCE)
                self._front_end.feed(x[:ahead])
            due = min(ahead, self._next - self._since_gap)
            part, x, ahead = x[:due], x[due:], ahead - due
            self._feed(part)
            if self._since_gap < self._next:
                continue
            self._next += self._tick
            skip = behind and len(x) >= self._hop
            if self._since_gap >= WINDOW:
                self._meet(("late",) if behind else (), skip=skip)
            # A voice counts for the reference from the next whole second on: so a second takes one call of a
            # streaming network, or ten, with the same result.
            if not self.model.step or self._since_gap % SAMPLE_RATE == 0:
                items += yield from self._estimated()
                for dbfs in self._measured:
                    self._reference.add(dbfs)
                self._measured.clear()
        return items + (yield from self._estimated())

    def _feed(self, part: Samples) -> None:
        audible, frames = self._front_end.take(len(part))
        self._frames.push(frames)
        self._estimates.feed(frames)
        self._health.feed(part, audible)
        self._traces.feed(audible, frames)
        self._samples += len(part)
        self._since_gap += len(part)

    def _meet(self, warnings: tuple[WarningName, ...], *, skip: bool) -> None:
        """The tick at which a decision is due. skip: the input is ahead, so no reading is given for it."""
        reading = (self._since_gap - WINDOW) % self._hop == 0
        self.skipped += reading and skip
        if self.model.step or not skip:
            self._moments.append(self._moment(warnings, due=reading and not skip))

    def _moment(self, warnings: tuple[WarningName, ...], *, due: bool) -> Moment:
        health = self._health
        tick = min(self._tick, self._since_gap - self._decided) if due else self._tick
        span = min(self._hop, self._since_gap - self._decided)
        if due:
            self._decided = self._since_gap
        reason: Reason | None = (
            "too_short" if self._since_gap < HEARD_S * SAMPLE_RATE else health.reason(self._reference.dbfs)
        )
        hum_hz = None
        if due and reason is None:
            traces = self._traces.warnings(self._frames.last(self.model.frames), self._reference.dbfs)
            warnings = (*health.warnings(unlimited=self.time >= self._unlimited_from), *traces, *warnings)
            hum_hz = self._traces.hum_hz
        elif not due:
            warnings = self._warned
        level = health.level_dbfs(tick // BLOCK)
        since = level if span == tick else health.level_dbfs(span // BLOCK)
        return Moment(self.time, due, level, since, health.active_dbfs(), reason, warnings, hum_hz)

    def _estimated(self) -> Judging[list[Reading | Event]]:
        """The decisions at the moments that wait, once the network has estimated them."""
        moments, self._moments = self._moments, []
        wanted = [m for m in moments if self.model.step or m.reason is None]
        outputs: list[Output] = yield from self._estimates.of(len(wanted), self._reference.dbfs)
        if self._estimates.restarted:  # only the last is known
            self._estimates.restarted = False
            if wanted:
                self._restarted = True
                moments = wanted[-1:]
                self.skipped += sum(m.due for m in wanted[:-1])
        estimated = iter(outputs[-len(moments) :] if self.model.step else outputs)
        items: list[Reading | Event] = []
        for moment in moments:
            output = next(estimated) if self.model.step or moment.reason is None else None
            items += self._conclude(moment, output)
        return items

    def _conclude(self, moment: Moment, output: Output | None) -> list[Reading | Event]:
        """The reading of a moment, if it is due, and the events that it causes."""
        reading, events = self._verdict(moment, output)
        if reading.warnings:
            events = [replace(event, warnings=reading.warnings) for event in events]
        if self._lost_s:  # the whole loss is known only now that the input is back
            for number, event in enumerate(events):
                if event.event == "input_back":
                    events[number] = replace(event, lost_s=self._lost_s)
                    self._lost_s = 0.0
        return [reading, *events] if moment.due else [*events]

    def _verdict(self, moment: Moment, output: Output | None) -> tuple[Reading, list[Event]]:
        time, level, since = moment.time, moment.level_dbfs, moment.since_dbfs
        if moment.reason is not None or output is None:
            _, events = self.detector.update(time, None, moment.reason)
            return self._unknown(moment.reason, since, moment.warnings, time), events
        origin, threshold = self._reference.origin, self.detector.config.threshold
        spoken = output.voice >= VOICE
        sure = output.snr_width_db is None or output.snr_width_db <= WIDEST_DB
        snr_db = output.snr_db if spoken and sure else None
        kind, kind_probability = named(output, threshold)
        state, events = self.detector.update(
            time, output.noise, now=output.now, snr_db=snr_db, level_dbfs=level, kind=kind
        )
        if spoken and output.snr_db >= MEASURED_SNR_DB:
            self._measured.append(moment.active_dbfs)
        # Music or a machine alone may resemble the work of a suppressor.
        warnings = tuple(w for w in moment.warnings if spoken or w != "suppressed")
        if moment.due:
            warnings = (*warnings, "restarted") if self._restarted else warnings
            self._warned, self._restarted = warnings, False
        voice_dbfs = output.voice_dbfs if spoken else None
        noise_dbfs = None
        if output.voice_dbfs is not None and sure and output.snr_db <= HEARD_DB:
            noise_dbfs = (output.voice_dbfs if spoken else self._reference.dbfs) - output.snr_db
        return Reading(
            time, output.noise, snr_db, output.voice, since, state, None, warnings, origin, moment.hum_hz,
            output.now, noise_dbfs, voice_dbfs, kind, kind_probability,
        ), events  # fmt: skip

    def _unknown(
        self,
        reason: Reason | None,
        level_dbfs: float | None = None,
        warnings: tuple[WarningName, ...] = (),
        time: float | None = None,
    ) -> Reading:
        at = self.time if time is None else time
        return Reading(at, None, None, None, level_dbfs, "unknown", reason, warnings, self._reference.origin)


def named(output: Output, threshold: float) -> tuple[Kind | None, float | None]:
    """The kind of a noise and its probability, where there is noise and the network is sure enough."""
    if output.kind is None or output.noise < threshold:
        return None, None
    best = max(range(len(KINDS)), key=output.kind.__getitem__)
    sure = output.kind[best] >= NAMED
    return (KINDS[best], output.kind[best]) if sure else (None, None)


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
