"""Calibration: records a room, and chooses the threshold that keeps false alarms there within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soxr

from ..audio.signal import SAMPLE_RATE, Samples
from ..core.events import Reading
from ..core.noise_detector import NoiseDetector
from ..core.session import Session
from ..core.shipped import DEFAULT
from ..core.stream import Stream
from ..errors import DeviceError, ThresholdError, UsageError, numeric, printable
from ..inputs.opening import Input, open_source
from ..inputs.source import Source
from ..ui.wording import duration, explain
from . import threshold
from .calibrations import Calibration
from .false_alarms import alarms, poisson_interval
from .threshold import RoomRecording

TURN_S = 15.0  # of speech, then of silence
GAP_S = 0.1  # by which stream time may run ahead of the stored audio: the resampler holds some back
DEAD_S = 5.0  # time without anything to judge after which a microphone is given up
STORED_S = 300.0  # of each recording: enough windows to measure what a threshold misses


@dataclass(frozen=True)
class Turn:
    """What the person at the microphone has to do now."""

    speak: bool  # False: be silent
    lasts_s: float
    until_s: float  # of stream time


@dataclass(frozen=True)
class Calibrated:
    """A threshold for a room, and the evidence for it."""

    calibration: Calibration
    alarms: int  # at the threshold, in the recording
    own_threshold: float  # the model's
    own_alarms: int
    hit_rates: (
        tuple[float, float] | None
    )  # of steady noise 20 dB below the voice, at both thresholds; None without a voice

    @property
    def proven(self) -> bool:
        """Whether the recording is long enough to show that the budget is met."""
        hours = self.calibration.recorded_s / 3600
        return poisson_interval(self.alarms)[1] / hours <= self.calibration.budget_per_hour


@dataclass(frozen=True)
class Plan:
    """How to calibrate. Raises UsageError for values out of range."""

    seconds: float = 60.0  # to record from a microphone
    budget_per_hour: float = 1.0  # false alarms

    def __post_init__(self) -> None:
        if not 30 <= numeric("time to record", self.seconds) <= 3600:
            raise UsageError(f"seconds is {self.seconds:g}; allowed: 30 to 3600. 60 suits most rooms.")
        if not 0.01 <= numeric("budget", self.budget_per_hour) <= 60:
            raise UsageError(f"the budget is {self.budget_per_hour:g} false alarms per hour; allowed: 0.01 to 60.")


Turns = Callable[[Source, Stream, Turn | None], None]


def calibrate(
    recordings: Input | Sequence[Input] = None,
    *,
    device: str | None = None,
    channel: int | None = None,
    seconds: float = 60.0,
    budget_per_hour: float = 1.0,
    model: str | Path | NoiseDetector = DEFAULT,
) -> Calibrated:
    """Choose the threshold for a room from recordings of it, or from a microphone for `seconds` (30 to 3600).

    Record the room as it should be: every alarm in the recording counts as false. budget_per_hour: false alarms,
    0.01 to 60. Nothing is stored: see `calibrations.store`.

    Raises ThresholdError if no threshold meets the budget, DeviceError for a microphone that cannot be judged,
    InputError, ModelError and UsageError.
    """
    plan = Plan(seconds, budget_per_hour)
    detector = model if isinstance(model, NoiseDetector) else NoiseDetector(model)
    if recordings is not None:
        several = isinstance(recordings, Sequence) and not isinstance(recordings, str)
        listed = recordings if several else [recordings]
        return choose_threshold(read_rooms(listed, detector, channel), detector, plan)  # type: ignore[arg-type]
    source = open_source(None, device=device, channel=channel)
    try:
        return choose_threshold([record_room(source, detector, plan)], detector, plan, device=source.name)
    finally:
        source.close()


def choose_threshold(
    rooms: Sequence[RoomRecording], detector: NoiseDetector, plan: Plan, *, device: str = ""
) -> Calibrated:
    """The calibration of a device from recordings of its room. Raises ThresholdError if none meets the budget."""
    budget_per_hour = plan.budget_per_hour
    card = detector.model.card
    heard = [room.readings for room in rooms]
    judged_s = sum(r.noise is not None for readings in heard for r in readings) * card.hop_s
    chosen = threshold.choose(heard, budget_per_hour, card.hop_s, card.threshold)
    if chosen is None:
        found = alarms(heard, threshold.HIGHEST, card.hop_s)
        raise ThresholdError(
            f"no threshold keeps false alarms within {budget_per_hour:g} an hour here: even at {threshold.HIGHEST} "
            f"there {'was' if found == 1 else 'were'} {found} in {duration(judged_s)}. Make the room quieter, or "
            "allow more with --max-false-alarms."
        )
    calibration = Calibration(
        device=device, model=card.name, hop_s=card.hop_s, threshold=chosen, budget_per_hour=budget_per_hour,
        made=f"{datetime.now(UTC):%Y-%m-%d}", recorded_s=round(judged_s, 1),
    )  # fmt: skip
    rates = threshold.hit_rates(detector, rooms, (chosen, card.threshold))
    return Calibrated(
        calibration,
        alarms=alarms(heard, chosen, card.hop_s),
        own_threshold=card.threshold,
        own_alarms=alarms(heard, card.threshold, card.hop_s),
        hit_rates=None if rates is None else (rates[0], rates[1]),
    )


class _Tape:
    """The first minutes of a session's audio, up to the first gap, so that reading times are positions in it."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._rate = stream, SAMPLE_RATE
        self._blocks: list[Samples] = []
        self._seconds = 0.0

    def add(self, block: Samples, rate: int) -> None:
        """Take a block at the source's rate, Hz."""
        if self._stream.time < STORED_S and abs(self._stream.time - self._seconds) < GAP_S:
            self._blocks.append(block)
            self._seconds += len(block) / rate
            self._rate = rate

    def room(self, readings: list[Reading]) -> RoomRecording:
        """The samples at 16 kHz, with their readings."""
        samples = np.concatenate([np.zeros(0, np.float32), *self._blocks])
        return RoomRecording(readings, np.asarray(soxr.resample(samples, self._rate, SAMPLE_RATE), np.float32))


def read_rooms(recordings: Sequence[Input], detector: NoiseDetector, channel: int | None) -> list[RoomRecording]:
    """Recordings of a room, with their readings. Raises InputError and UsageError."""
    rooms = []
    for recording in recordings:
        source, stream = open_source(recording, channel=channel, paced=False), detector.stream()
        tape = _Tape(stream)
        items = list(Session(source, stream, heard=tape.add))
        rooms.append(tape.room([item for item in items if isinstance(item, Reading)]))
    return rooms


def record_room(
    source: Source,
    detector: NoiseDetector,
    plan: Plan,
    turn: Turns = lambda source, stream, turn: None,
) -> RoomRecording:
    """Record speech and silence in turn. turn: called when the person has to start or stop, None when it is over.

    Raises DeviceError for a microphone that cannot be judged.
    """
    stream, seconds = detector.stream(), plan.seconds
    turns = max(1, round(seconds / TURN_S / 2)) * 2
    tape, number = _Tape(stream), -1
    readings: list[Reading] = []

    def take_turns() -> None:
        nonlocal number
        now = min(turns - 1, int(stream.time / seconds * turns))
        if now != number:
            number = now
            turn(source, stream, Turn(now % 2 == 0, seconds / turns, seconds * (now + 1) / turns))

    def heard(block: Samples, rate: int) -> None:
        tape.add(block, rate)
        take_turns()

    began, judged = time.monotonic(), 0
    take_turns()
    for item in Session(source, stream, seconds=seconds, heard=heard):
        if isinstance(item, Reading):
            readings.append(item)
            judged += item.noise is not None
            if not judged and time.monotonic() - began >= DEAD_S:
                break
    turn(source, stream, None)
    lost = [r for r in readings if r.noise is None]
    if 2 * len(lost) > len(readings) or not readings:
        why = explain(lost[-1].reason, live=True) if lost else ""
        much = " for most of the time" if judged else ""
        raise DeviceError(f"{printable(source.name)} could not be judged{much}. {why}")
    return tape.room(readings)
