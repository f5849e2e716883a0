"""`calibrate`: a threshold for your room and microphone, within a budget of false alarms."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DeviceError, UsageError
from ..model import DEFAULT
from .base import answer_no, app, typed

if TYPE_CHECKING:
    from ..engine import Stream
    from ..events import Reading

TURN_S = 15.0  # of voice, then of quiet


@app.command()
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
    max_false_alarms: Annotated[str, typer.Option(help="The budget: 1/h, 12/d, 0.5/h.")] = "1/h",
    channel: Annotated[
        int | None, typer.Option(envvar="NOISEWATCH_CHANNEL", help="Channel, counted from 1.")
    ] = None,
    model: Annotated[
        str, typer.Option(envvar="NOISEWATCH_MODEL", help="Shipped model or an .onnx file.")
    ] = DEFAULT,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the calibration of the device.")] = False,
) -> None:
    """Choose the threshold that suits your room, for a budget of false alarms."""
    from .. import calibration
    from ..engine import NoiseDetector

    if reset:
        _forget(device)
        return
    budget = _per_hour(max_false_alarms)
    if not 30 <= seconds <= 3600:
        raise UsageError(f"--seconds is {seconds:g}; allowed: 30 to 3600. 60 suits most rooms.")
    detector = NoiseDetector(model)
    card = detector.model.card
    name = _device_name(device, needed=not files or typed(ctx, "device"))
    if files:
        heard = [list(_readings_of(path, detector.stream(), channel)) for path in files]
    else:
        heard = [_recorded(device, channel, detector.stream(), seconds)]
    threshold = calibration.choose(heard, budget, card.hop_s, card.threshold)
    judged = sum(r.noise is not None for readings in heard for r in readings) * card.hop_s
    if threshold is None:
        found = calibration.alarms(heard, calibration.HIGHEST, card.hop_s)
        answer_no(
            f"no threshold keeps false alarms within {budget:g} an hour here: even at {calibration.HIGHEST} "
            f"there were {found} in {judged:.0f} s. Make the room quieter, or allow more with --max-false-alarms."
        )
    kept = calibration.Calibration(
        device=name or "", model=card.name, hop_s=card.hop_s, threshold=threshold, budget_per_hour=budget,
        made=calibration.today(), recorded_s=round(judged, 1),
    )  # fmt: skip
    called = calibration.alarms(heard, threshold, card.hop_s)
    low, high = (3600 / judged * bound for bound in calibration.poisson_interval(called))
    rate = f"{low:.1f} to {high:.1f} an hour (95 %)"
    print(f"threshold {threshold:.2f}: {called} alarm{'' if called == 1 else 's'} in {judged:.0f} s, so {rate}")
    if name is None:
        print(f"not stored, as there is no input device here; use it with --threshold {threshold:.2f}")
        if high > budget:
            print("provisional: that little cannot prove the rate")
        return
    calibration.store({**calibration.stored(), name: kept})
    proven = high <= budget
    print(
        f"stored for {name}. "
        + (f"That keeps the budget of {budget:g} an hour." if proven else f"It is {kept.sentence()}.")
    )


def _per_hour(budget: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(h|d))?", budget.strip())
    value = float(match[1]) / (24 if match[2] == "d" else 1) if match else 0.0
    if not match or not 0.01 <= value <= 60:
        raise UsageError(f"--max-false-alarms is {budget!r}; allowed: 0.01/h to 60/h, written 1/h, 12/d or 0.5/h.")
    return value


def _device_name(device: str | None, *, needed: bool) -> str | None:
    from ..microphone import find_device

    try:
        return find_device(device).name
    except DeviceError:
        if needed:
            raise
        return None


def _forget(device: str | None) -> None:
    from .. import calibration

    known = calibration.stored()
    matching = [name for name in known if device is None or device.lower() in name.lower()]
    if device is not None and not matching:
        name = _device_name(device, needed=False)  # an index, or a device that has no calibration
        matching = [n for n in known if n == name]
    if not matching:
        listed = ", ".join(known) or "none"
        raise UsageError(f"there is no calibration to forget. Calibrated: {listed}.")
    if device is None and len(matching) > 1:
        raise UsageError(f"several devices are calibrated; name one with --device: {', '.join(matching)}.")
    calibration.store({name: kept for name, kept in known.items() if name not in matching})
    print(f"forgot the calibration of {', '.join(matching)}")


def _readings_of(path: Path, stream: Stream, channel: int | None) -> Iterator[Reading]:
    from ..engine import Session
    from ..events import Reading
    from ..sources import open_source

    source = open_source(str(path), channel=channel, paced=False)
    yield from (item for item in Session(source, stream) if isinstance(item, Reading))


def _recorded(device: str | None, channel: int | None, stream: Stream, seconds: float) -> list[Reading]:
    """Readings from the microphone, voice and quiet in turn, as somebody is told on stderr."""
    from ..engine import Session
    from ..events import REASONS, Reading
    from ..sources import open_source

    source = open_source(None, device=device, channel=channel)
    turns = max(1, round(seconds / TURN_S / 2)) * 2
    print(f"Listening to {source.name} for {seconds:.0f} s, the room as it usually is.", file=sys.stderr)
    readings: list[Reading] = []
    turn = -1

    def prompt(_: object) -> None:
        nonlocal turn
        now = min(turns - 1, int(stream.time / seconds * turns))
        if now != turn:
            turn = now
            what = "Say nothing" if turn % 2 else "Speak as you usually do"
            print(f"{stream.time:4.0f} s  {what} for {seconds / turns:.0f} s.", file=sys.stderr)

    for item in Session(source, stream, seconds=seconds, heard=prompt):
        if isinstance(item, Reading):
            readings.append(item)
    lost = [r for r in readings if r.noise is None]
    if 2 * len(lost) > len(readings) or not readings:
        why = REASONS.get(lost[-1].reason or "", "") if lost else ""
        raise DeviceError(f"{source.name} could not be judged for most of the time. {why}")
    return readings
