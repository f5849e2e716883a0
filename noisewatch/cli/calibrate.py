"""`calibrate`: a threshold for your room and microphone, within a budget of false alarms."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ..core.shipped import DEFAULT
from ..errors import DeviceError, UsageError, printable
from .base import answer_no, command, refuse_beside, say, tell, typed

if TYPE_CHECKING:
    from ..core.events import Reading
    from ..core.noise_detector import NoiseDetector
    from ..core.stream import Stream
    from ..inputs.source import Source
    from ..tasks.calibration import Room

TURN_S = 15.0  # of voice, then of quiet
GAP_S = 0.1  # by which stream time may run ahead of what was kept: the resampler holds some back
DEAD_S = 5.0  # without anything to judge, before a microphone is given up
KEPT_S = 300.0  # of a recording: enough windows to measure on what a threshold misses


@command()
def calibrate(
    ctx: typer.Context,
    device: Annotated[
        str | None,
        typer.Option(envvar="NOISEWATCH_DEVICE", help="Microphone: index, or a unique part of its name."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to record.")] = 60.0,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Recordings of the room instead, as it usually is; repeat for more."),
    ] = None,
    max_false_alarms: Annotated[str, typer.Option(help="The budget: 1/h or 12/d; 0.5 is 0.5/h.")] = "1/h",
    channel: Annotated[
        int | None, typer.Option(envvar="NOISEWATCH_CHANNEL", help="Channel, counted from 1.")
    ] = None,
    model: Annotated[
        str, typer.Option(envvar="NOISEWATCH_MODEL", help="Shipped model or an .onnx file.")
    ] = DEFAULT,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the calibration of the device.")] = False,
) -> None:
    """Choose the threshold that suits your room, for a budget of false alarms."""
    from ..core.noise_detector import NoiseDetector
    from ..tasks import calibration
    from ..ui.wording import duration

    if reset:
        refuse_beside(ctx, "reset", "seconds", "files", "max_false_alarms", "channel", "model")
        _forget(device)
        return
    if files:
        refuse_beside(ctx, "files", "seconds")
    budget = _per_hour(max_false_alarms)
    if not 30 <= seconds <= 3600:
        raise UsageError(f"--seconds is {seconds:g}; allowed: 30 to 3600. 60 suits most rooms.")
    detector = NoiseDetector(model)
    card = detector.model.card
    name = _device_name(device, needed=not files or typed(ctx, "device"))
    if files:
        rooms = [_room_of(path, detector.stream(), channel) for path in files]
    else:
        rooms = [_recorded(ctx, device, channel, detector.stream(), seconds)]
    heard = [room.readings for room in rooms]
    threshold = calibration.choose(heard, budget, card.hop_s, card.threshold)
    judged = sum(r.noise is not None for readings in heard for r in readings) * card.hop_s
    if threshold is None:
        found = calibration.alarms(heard, calibration.HIGHEST, card.hop_s)
        answer_no(
            f"no threshold keeps false alarms within {budget:g} an hour here: even at {calibration.HIGHEST} "
            f"there {'was' if found == 1 else 'were'} {found} in {duration(judged)}. Make the room quieter, or "
            "allow more with --max-false-alarms."
        )
    kept = calibration.Calibration(
        device=name or "", model=card.name, hop_s=card.hop_s, threshold=threshold, budget_per_hour=budget,
        made=calibration.today(), recorded_s=round(judged, 1),
    )  # fmt: skip
    called = calibration.alarms(heard, threshold, card.hop_s)
    print(f"threshold {threshold:.2f}: {calibration.rate_in_words(called, judged)}")
    print(_compared(rooms, detector, threshold))
    print(_cost(rooms, detector, threshold))
    proven = calibration.poisson_interval(called)[1] * 3600 / judged <= budget
    if name is None:
        print(f"not stored, as there is no input device here; use it with --threshold {threshold:.2f}")
        if not proven:
            print("provisional: this recording is too short to prove the rate")
        return
    with calibration.changed(say) as known:
        known[name] = kept
    print(
        f"stored for {printable(name)}. "
        + (f"That keeps the budget of {budget:g} an hour." if proven else f"It is {kept.sentence()}.")
    )


def _compared(rooms: Sequence[Room], detector: NoiseDetector, threshold: float) -> str:
    """Why it is this threshold and not the model's own."""
    from ..tasks import calibration

    card = detector.model.card
    if threshold == card.threshold:
        return f"That is {card.name}'s own threshold; it raised no more alarms here than the budget allows."
    own = calibration.alarms([room.readings for room in rooms], card.threshold, card.hop_s)
    return f"{card.name}'s own, {card.threshold:.2f}, raised {own or 'no'} alarm{'' if own < 2 else 's'} here."


def _cost(rooms: Sequence[Room], detector: NoiseDetector, threshold: float) -> str:
    """How much faint noise it calls, beside the model's own."""
    from ..tasks import calibration

    own = detector.model.card.threshold
    found = calibration.hit_rates(detector, rooms, (threshold, own))
    if found is None:
        return "Nobody spoke for 3 s, so what it misses behind a voice could not be measured."
    here, before = map(calibration.share_in_words, found)
    return (
        f"Steady noise {calibration.COST_SNR_DB:.0f} dB below the voice, added to this recording, is called in "
        f"{here}{'' if here == before else f' instead of {before}'}."
    )


def _per_hour(budget: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(h|d))?", budget.strip())
    value = float(match[1]) / (24 if match[2] == "d" else 1) if match else 0.0
    if not match or not 0.01 <= value <= 60:
        raise UsageError(f"--max-false-alarms is {budget!r}; allowed: 0.01/h to 60/h, written 1/h, 12/d or 0.5.")
    return value


def _device_name(device: str | None, *, needed: bool) -> str | None:
    from ..inputs.devices import find_device

    try:
        return find_device(device).name
    except DeviceError:
        if needed:
            raise
        return None


def _forget(device: str | None) -> None:
    from ..tasks import calibration

    known = calibration.stored(say)
    if device is None or device in known:
        matching = [name for name in known if device in (None, name)]
    elif re.fullmatch(r"-?\d+", device):  # the index of an input, and no part of a name
        name = _device_name(device, needed=True)
        matching = [n for n in known if n == name]
    else:
        matching = [n for n in known if device.lower() in n.lower()]
    if not matching:
        raise UsageError(f"there is no calibration to forget. Calibrated: {', '.join(known) or 'none'}.")
    if len(matching) > 1:
        which = "several devices are calibrated" if device is None else f"{device!r} is part of several names"
        raise UsageError(f"{which}; give one of them to --device: {', '.join(matching)}.")
    with calibration.changed(say) as known:
        known.pop(matching[0], None)
    print(f"forgot the calibration of {printable(matching[0])}")


class _Kept:
    """The first minutes of what a session hears, up to the first gap: places in them are times of readings."""

    def __init__(self, source: Source, stream: Stream) -> None:
        self._source, self._stream = source, stream
        self._blocks: list[NDArray[np.float32]] = []
        self._seconds = 0.0

    def __call__(self, block: NDArray[np.float32]) -> None:
        if self._stream.time < KEPT_S and abs(self._stream.time - self._seconds) < GAP_S:
            self._blocks.append(block)
            self._seconds += len(block) / self._source.sample_rate

    def room(self, readings: list[Reading]) -> Room:
        """With what was read of them."""
        import soxr

        from ..audio.signal import SAMPLE_RATE
        from ..tasks.calibration import Room

        samples = np.concatenate([np.zeros(0, np.float32), *self._blocks])
        return Room(readings, np.asarray(soxr.resample(samples, self._source.sample_rate, SAMPLE_RATE), np.float32))


def _room_of(path: Path, stream: Stream, channel: int | None) -> Room:
    from ..core.events import Reading
    from ..core.session import Session
    from ..inputs.opening import open_source

    source = open_source(str(path), channel=channel, paced=False)
    kept = _Kept(source, stream)
    return kept.room([item for item in Session(source, stream, heard=kept) if isinstance(item, Reading)])


def _recorded(ctx: typer.Context, device: str | None, channel: int | None, stream: Stream, seconds: float) -> Room:
    """Readings from the microphone, voice and quiet in turn, as somebody is told on stderr."""
    from ..core.events import Reading
    from ..core.session import Session
    from ..inputs.opening import open_source
    from ..ui.meter import Countdown, counting
    from ..ui.wording import explain

    source = open_source(None, device=device, channel=channel)
    ctx.call_on_close(source.close)
    turns = max(1, round(seconds / TURN_S / 2)) * 2
    tell(f"Listening to {printable(source.name)} for {seconds:.0f} s, the room as it usually is.")
    readings: list[Reading] = []
    kept = _Kept(source, stream)
    turn = -1
    countdown = Countdown(stream, source, seconds, "")
    began, judged = time.monotonic(), 0

    def prompt(block: NDArray[np.float32]) -> None:
        nonlocal turn
        kept(block)
        now = min(turns - 1, int(stream.time / seconds * turns))
        if now != turn:
            turn = now
            countdown.do = "Say nothing." if turn % 2 else "Speak as you usually do."
            countdown.seconds = seconds * (turn + 1) / turns
            if not sys.stderr.isatty():
                tell(f"{stream.time:4.0f} s  {countdown.do[:-1]} for {seconds / turns:.0f} s.")

    with counting(countdown):
        for item in Session(source, stream, seconds=seconds, heard=prompt):
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
    return kept.room(readings)
