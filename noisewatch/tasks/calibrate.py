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
from ..errors import DeviceError, ThresholdError, UsageError, printable
from ..inputs.opening import Input, open_source
from ..inputs.source import Source
from ..ui.wording import duration, explain
from . import threshold
from .calibrations import Calibration
from .false_alarms import alarms, poisson_interval
from .threshold import Room

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


def calibrate(
    recordings: Sequence[Input] = (),
    *,
    device: str | None = None,
    channel: int | None = None,
    seconds: float = 60.0,
    budget_per_hour: float = 1.0,
    model: str | Path | NoiseDetector = DEFAULT,
    name: str = "",
    turn: Callable[[Source, Stream, Turn], None] = lambda source, stream, turn: None,
) -> Calibrated:
    """Choose the threshold for a room from recordings of it, or from a microphone for `seconds` (30 to 3600).

    Record the room as it should be: every alarm in the recording counts as false. budget_per_hour: false alarms,
    0.01 to 60. name: the device that the recordings are from. turn: called when the person at the microphone has
    to start or stop speaking. Nothing is stored: see `calibrations.store`.

    Raises ThresholdError if no threshold meets the budget, DeviceError for a microphone that cannot be judged,
    InputError, ModelError and UsageError.
    """
    if not 30 <= seconds <= 3600:
        raise UsageError(f"seconds is {seconds:g}; allowed: 30 to 3600. 60 suits most rooms.")
    if not 0.01 <= budget_per_hour <= 60:
        raise UsageError(f"the budget is {budget_per_hour:g} false alarms an hour; allowed: 0.01 to 60.")
    detector = model if isinstance(model, NoiseDetector) else NoiseDetector(model)
    if recordings:
        rooms = [_room_of(recording, detector.stream(), channel) for recording in recordings]
    else:
        source = open_source(None, device=device, channel=channel)
        name = source.name
        try:
            rooms = [_recorded(source, detector.stream(), seconds, turn)]
        finally:
            source.close()
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
        device=name, model=card.name, hop_s=card.hop_s, threshold=chosen, budget_per_hour=budget_per_hour,
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

    def __init__(self, source: Source, stream: Stream) -> None:
        self._source, self._stream = source, stream
        self._blocks: list[Samples] = []
        self._seconds = 0.0

    def add(self, block: Samples) -> None:
        """Take a block at the source's rate."""
        if self._stream.time < STORED_S and abs(self._stream.time - self._seconds) < GAP_S:
            self._blocks.append(block)
            self._seconds += len(block) / self._source.sample_rate

    def room(self, readings: list[Reading]) -> Room:
        """The samples at 16 kHz, with their readings."""
        samples = np.concatenate([np.zeros(0, np.float32), *self._blocks])
        return Room(readings, np.asarray(soxr.resample(samples, self._source.sample_rate, SAMPLE_RATE), np.float32))


def _room_of(recording: Input, stream: Stream, channel: int | None) -> Room:
    source = open_source(recording, channel=channel, paced=False)
    tape = _Tape(source, stream)
    return tape.room([item for item in Session(source, stream, heard=tape.add) if isinstance(item, Reading)])


def _recorded(
    source: Source,
    stream: Stream,
    seconds: float,
    turn: Callable[[Source, Stream, Turn], None],
) -> Room:
    """Speech and silence in turn, from a microphone."""
    turns = max(1, round(seconds / TURN_S / 2)) * 2
    tape, number = _Tape(source, stream), -1
    readings: list[Reading] = []

    def take_turns() -> None:
        nonlocal number
        now = min(turns - 1, int(stream.time / seconds * turns))
        if now != number:
            number = now
            turn(source, stream, Turn(now % 2 == 0, seconds / turns, seconds * (now + 1) / turns))

    def heard(block: Samples) -> None:
        tape.add(block)
        take_turns()

    began, judged = time.monotonic(), 0
    take_turns()
    for item in Session(source, stream, seconds=seconds, heard=heard):
        if isinstance(item, Reading):
            readings.append(item)
            judged += item.noise is not None
            if not judged and time.monotonic() - began >= DEAD_S:
                break
    lost = [r for r in readings if r.noise is None]
    if 2 * len(lost) > len(readings) or not readings:
        why = explain(lost[-1].reason, live=True) if lost else ""
        much = " for most of the time" if judged else ""
        raise DeviceError(f"{printable(source.name)} could not be judged{much}. {why}")
    return tape.room(readings)
