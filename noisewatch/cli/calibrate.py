"""`calibrate`: a threshold for your room and microphone, within a budget of false alarms."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import DeviceError, UsageError, printable
from .app import command
from .arguments import only, refuse_beside, typed
from .help import DETECTION, INPUT
from .options import Channel, ConfiguredModel, Device
from .stderr import notify, write_line

if TYPE_CHECKING:
    from ..core.stream import Stream
    from ..inputs.source import Source
    from ..tasks.calibrate import Calibrated, Turn
    from ..ui.countdown import Countdown


@command(
    "noisewatch calibrate                             one minute of your room",
    "noisewatch calibrate --device 2 --max-false-alarms 12/d",
    "noisewatch calibrate --from monday.wav --from tuesday.wav",
    "noisewatch calibrate --reset --device USB",
)
def calibrate(
    ctx: typer.Context,
    device: Device = None,
    channel: Channel = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="How long to record.", rich_help_panel=INPUT)] = 60.0,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", metavar="FILE", help="Use recordings of the room instead (repeatable).", rich_help_panel=INPUT
        ),
    ] = None,
    model: ConfiguredModel = DEFAULT,
    max_false_alarms: Annotated[
        str,
        typer.Option(
            metavar="RATE", help="Budget of false alarms: 1/h or 12/d; 0.5 means 0.5/h.", rich_help_panel=DETECTION
        ),
    ] = "1/h",
    reset: Annotated[bool, typer.Option("--reset", help="Forget the calibration of the device.")] = False,
) -> None:
    """Choose a threshold for your room and microphone.

    It is the lowest that keeps false alarms within the budget. Record the room as it should be: every alarm counts
    as false. `listen` and `check` use the threshold from then on.
    """
    from ..core.noise_detector import NoiseDetector
    from ..inputs.opening import open_source
    from ..tasks import calibrations
    from ..tasks.calibrate import Plan, choose_threshold, read_rooms, record_room

    microphone, number = only(ctx, "device", device), only(ctx, "channel", channel)
    if reset:
        refuse_beside(ctx, "reset", "seconds", "files", "max_false_alarms", "channel", "model")
        forgotten = calibrations.forget(microphone, notify, lambda index: _device_name(index, needed=True) or "")
        print(f"forgot the calibration of {printable(forgotten)}")
        return
    if files:
        refuse_beside(ctx, "files", "seconds")
    plan = Plan(seconds, _per_hour(max_false_alarms))
    detector = NoiseDetector(model)
    if files:
        name = _device_name(microphone, needed=typed(ctx, "device"))
        rooms = read_rooms(files, detector, number)
    else:
        source = open_source(None, device=microphone, channel=number)
        ctx.call_on_close(source.close)  # last: a sound server may hang
        name = source.name
        with _Prompt(seconds) as prompt:
            rooms = [record_room(source, detector, plan, prompt)]
    found = choose_threshold(rooms, detector, plan, device=name or "")
    if found.calibration.device:
        calibrations.store(found.calibration, notify)
    _report(found)


def _report(found: Calibrated) -> None:
    """Lines on stdout: the threshold, the reason for it, its cost in misses, whether it is stored and proven."""
    from ..tasks.false_alarms import rate_in_words
    from ..tasks.threshold import COST_SNR_DB, share_in_words

    calibration = found.calibration
    print(f"threshold {calibration.threshold:.2f}: {rate_in_words(found.alarms, calibration.recorded_s)}")
    if calibration.threshold == found.own_threshold:
        print(f"That is {calibration.model}'s own threshold; it raised no more alarms here than the budget allows.")
    else:
        count = f"{found.own_alarms or 'no'} alarm{'' if found.own_alarms < 2 else 's'}"
        print(f"{calibration.model}'s own threshold, {found.own_threshold:.2f}, raised {count} here.")
    if found.hit_rates is None:
        print("There was no speech for 3 s, so the noise that it misses behind a voice could not be measured.")
    else:
        here, own = map(share_in_words, found.hit_rates)
        print(
            f"Steady noise {COST_SNR_DB:.0f} dB below the voice, added to this recording, is detected in "
            f"{here}{'' if here == own else f' instead of {own}'}."
        )
    if not calibration.device:
        print(f"not stored, as there is no input device here; use it with --threshold {calibration.threshold:.2f}")
        if not found.proven:
            print("provisional: this recording is too short to prove the rate")
    elif found.proven:
        budget = f"{calibration.budget_per_hour:g} an hour"
        print(f"stored for {printable(calibration.device)}. That meets the budget of {budget}.")
    else:
        print(f"stored for {printable(calibration.device)}. It is {calibration.sentence()}.")


class _Prompt:
    """Tells the person at the microphone to speak or to be silent: a countdown, or lines without a terminal."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds  # in total
        self._shown = ExitStack()
        self._countdown: Countdown | None = None

    def __enter__(self) -> _Prompt:
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def __call__(self, source: Source, stream: Stream, turn: Turn | None) -> None:
        from ..ui.countdown import Countdown, show_countdown

        if turn is None:  # the recording is over
            self._shown.close()
            return
        do = "Speak as you usually do." if turn.speak else "Say nothing."
        if self._countdown is None:
            write_line(
                f"Listening to {printable(source.name)} for {self._seconds:.0f} s. Keep the room as it usually is."
            )
            self._countdown = Countdown(stream, source, turn.until_s, do)
            self._shown.enter_context(show_countdown(self._countdown))
        self._countdown.instruction, self._countdown.seconds = do, turn.until_s
        if not sys.stderr.isatty():
            write_line(f"{stream.time:4.0f} s  {do[:-1]} for {turn.lasts_s:.0f} s.")


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
