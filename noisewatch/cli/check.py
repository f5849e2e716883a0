"""`check`: one line and an exit code, before a recording or in a pipeline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import InputError, UsageError
from ..model import DEFAULT
from .base import OWN_THRESHOLD, app, typed

NOTHING_DBFS = -70.0  # a room through a microphone that is on is louder, if only by the microphone's own noise

if TYPE_CHECKING:
    from ..events import Reading


@dataclass(frozen=True)
class Answer:
    """What `check` found."""

    answer: Literal["ok", "noisy", "unknown"]
    why: str
    advice: str
    seconds: float
    noisy: float | None  # share of the time that could be judged
    snr_db: float | None  # median over windows in which someone speaks; over the noisy ones, if it is noisy
    reference: Literal["heard", "assumed"]


@app.command()
def check(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Argument(help="A recording, - for stdin, or demo. Without it: the microphone.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="How long to listen.", show_default="5; files: all")] = None,
    device: Annotated[
        str | None,
        typer.Option(envvar="NOISEWATCH_DEVICE", help="Microphone: index, or a unique part of its name."),
    ] = None,
    channel: Annotated[
        int | None, typer.Option(envvar="NOISEWATCH_CHANNEL", help="Channel, counted from 1.")
    ] = None,
    model: Annotated[
        str, typer.Option(envvar="NOISEWATCH_MODEL", help="Shipped model or an .onnx file.")
    ] = DEFAULT,
    threshold: Annotated[
        float | None,
        typer.Option(help="Noise from here on.", show_default=f"the calibration's, or {OWN_THRESHOLD}"),
    ] = None,
    max_noisy: Annotated[float, typer.Option(help="Share of the time that may be noisy.")] = 0.2,
    min_snr: Annotated[float | None, typer.Option(help="Least SNR in dB where someone speaks.")] = None,
    raw_rate: Annotated[
        int | None, typer.Option(help="stdin is raw s16le mono at this rate (Hz), not WAV.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as one JSON object.")] = False,
) -> None:
    """Is it quiet enough to record? OK (exit 0), NOISY (3) or UNKNOWN (4 a live input, 6 a recording)."""
    if seconds is not None and not 3 <= seconds <= 3600:
        raise UsageError(f"--seconds is {seconds:g}; allowed: 3 (one window) to 3600.")
    if not 0 <= max_noisy <= 1:
        raise UsageError(f"--max-noisy is {max_noisy:g}; allowed: 0 to 1, a share of the time.")
    if min_snr is not None and not 0 <= min_snr <= 60:
        raise UsageError(f"--min-snr is {min_snr:g}; allowed: 0 to 60 dB.")
    if source is not None:  # what is configured is about the microphone
        device = device if typed(ctx, "device") else None
        channel = channel if typed(ctx, "channel") else None
    from ..engine import NoiseDetector, Session
    from ..events import Reading
    from ..sources import open_source
    from .listen import calibrated

    detector = NoiseDetector(model)
    input = open_source(source, device=device, channel=channel, raw_rate=raw_rate, paced=False)
    kept = None if threshold is not None else calibrated(input, detector, None)
    stream = detector.stream(threshold=kept.threshold if kept else threshold)
    if seconds is None and input.live:
        seconds = 5.0
    readings: list[Reading] = []
    noisy_s, damage = 0.0, None
    try:
        for item in Session(input, stream, seconds=seconds):
            if isinstance(item, Reading):
                readings.append(item)
            else:
                noisy_s += item.duration or 0.0
    except InputError as error:
        damage = str(error)
    found = answer(readings, stream.time, noisy_s, max_noisy, min_snr, live=input.live)
    if damage is not None:
        found = replace(found, answer="unknown", why=damage.rstrip("."), advice="Give a whole recording.")
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print(f"{found.answer.upper()}: {found.why}. {found.advice}")
    if found.answer != "ok":
        raise SystemExit(3 if found.answer == "noisy" else 4 if input.live else 6)


def answer(
    readings: Sequence[Reading],
    seconds: float,
    noisy_s: float,
    max_noisy: float,
    min_snr: float | None,
    *,
    live: bool,
) -> Answer:
    """What readings say of an input with noises of noisy_s together.

    Unknown when more than half of it could not be judged, or the end of a live input.
    """
    from ..events import because
    from ..meter import advice

    judged = [r for r in readings if r.noise is not None]
    noisy = None
    if judged:
        noisy = min(1.0, noisy_s / (seconds * len(judged) / len(readings)))
    over = noisy is not None and noisy > max_noisy
    snr = [r.snr_db for r in judged if r.snr_db is not None and (r.state == "noisy" or not over)]
    typical = round(median(snr), 1) if snr else None
    reference = readings[-1].reference if readings else "assumed"

    def made(what: Literal["ok", "noisy", "unknown"], why: str, then: str) -> Answer:
        return Answer(
            what, why, then, round(seconds, 1), None if noisy is None else round(noisy, 3), typical, reference
        )

    if not readings:
        return made("unknown", f"{seconds:.1f} s of sound are too little", "Three seconds make a window.")
    lost = [r for r in readings if r.noise is None]
    if noisy is None or (live and readings[-1].noise is None) or 2 * len(lost) > len(readings):
        reason = Counter(r.reason for r in lost).most_common(1)[0][0]
        why = f"{len(lost) / len(readings):.0%} of the input could not be judged"
        return made("unknown", why, because(reason, live=live) or "Try again.")
    loudest = max((r.level_dbfs for r in judged if r.level_dbfs is not None), default=-200.0)
    if typical is None and loudest < NOTHING_DBFS:
        why = f"nobody spoke, and the level stayed below {NOTHING_DBFS:.0f} dBFS"
        return made("unknown", why, "The input may be muted or turned down: say something.")
    level = "nobody spoke" if typical is None else f"SNR {round(typical)} dB"
    if over:
        worst = max(judged, key=lambda r: (r.state == "noisy", r.noise or 0.0))
        return made("noisy", f"{noisy:.0%} of {seconds:.0f} s are noisy, {level}", advice(worst))
    if min_snr is not None and typical is not None and typical < min_snr:
        return made("noisy", f"SNR {typical:.0f} dB, and {min_snr:g} are asked for", "Go closer to the microphone.")
    if min_snr is not None and typical is None:
        return made("unknown", "nobody spoke, so there is no SNR", "Speak as you will in the recording.")
    then = "Nothing but your voice."
    if noisy:
        then = "It was not quiet all the time."
    elif typical is None:
        then = "Speak meanwhile for a surer answer." if reference == "assumed" else "Quiet."
    return made("ok", f"{noisy:.0%} of {seconds:.0f} s are noisy, {level}", then)
