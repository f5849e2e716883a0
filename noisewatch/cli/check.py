"""`check`: one line and an exit code, before a recording or in a pipeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..core.shipped import DEFAULT
from ..errors import ChannelError, InputError, UsageError, printable
from .base import OWN_THRESHOLD, command, say, typed

NOTHING_DBFS = -70.0  # a room through a microphone that is on is louder, if only by the microphone's own noise

UNSURE = 0.2  # share of readings between the thresholds that is worth a word

if TYPE_CHECKING:
    from ..core.events import Reading
    from ..core.noise_detector import NoiseDetector
    from ..core.stream import Stream
    from ..core.summary import Summary
    from ..inputs.source import Source


@dataclass(frozen=True)
class Answer:
    """What `check` found. `None` where a number would be a lie."""

    source: str
    answer: Literal["ok", "noisy", "unknown"]
    why: str
    advice: str
    seconds: float = 0.0
    noisy: float | None = None  # share of the time that could be judged
    snr_db: float | None = None  # median over the windows in which someone speaks, like the next two
    snr_noisy_db: float | None = None  # over those that are noisy
    snr_otherwise_db: float | None = None  # over the others
    reference: Literal["heard", "assumed"] = "assumed"
    warnings: tuple[str, ...] = ()  # `unfinished`, `cancelled`: what is odd about the recording itself


@command()
def check(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Recordings, - for stdin, or demo. Without any: the microphone."),
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
        typer.Option(
            help="Call it noise from this probability on.", show_default=f"the calibration's, or {OWN_THRESHOLD}"
        ),
    ] = None,
    max_noisy: Annotated[float, typer.Option(help="Share of the time that may be noisy.")] = 0.2,
    min_snr: Annotated[float | None, typer.Option(help="Least SNR in dB where someone speaks.")] = None,
    raw_rate: Annotated[
        int | None, typer.Option(help="The pipe carries raw s16le mono at this rate (Hz), not WAV.")
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
    if sources:  # what is configured is about the microphone
        device = device if typed(ctx, "device") else None
        channel = channel if typed(ctx, "channel") else None
    from ..core.noise_detector import NoiseDetector
    from ..inputs.opening import open_source

    detector = NoiseDetector(model)
    words: list[str | None] = [*sources] if sources else [None]
    codes = []
    for word in words:
        try:
            source = open_source(word, device=device, channel=channel, raw_rate=raw_rate, paced=False)
            ctx.call_on_close(source.close)  # last: a sound server may hang
            name = source.name if word in (None, "-") else word
            found = _checked(name, source, detector, threshold, seconds, max_noisy, min_snr)
        except (InputError, ChannelError) as error:  # a slow pipe tells its channels late
            if len(words) == 1:
                raise
            found = Answer(str(word), "unknown", str(error).rstrip("."), "The other recordings are judged.")
        if as_json:
            print(json.dumps(asdict(found)), flush=True)
        else:
            name = f"{printable(found.source)}: " if len(words) > 1 else ""
            print(f"{name}{found.answer.upper()}: {printable(found.why)}. {found.advice}", flush=True)
        codes.append({"ok": 0, "noisy": 3, "unknown": 6 if sources else 4}[found.answer])
    if max(codes):
        raise SystemExit(max(codes))


def _checked(
    name: str,
    source: Source,
    detector: NoiseDetector,
    threshold: float | None,
    seconds: float | None,
    max_noisy: float,
    min_snr: float | None,
) -> Answer:
    """Listen to a source, to its end or for a while."""
    from ..core.events import Reading
    from ..core.session import Session
    from ..core.summary import Summary
    from ..ui.wording import remarks
    from .listen import calibrated

    kept = None if threshold is not None else calibrated(source, detector, None, say)
    stream = detector.stream(threshold=kept.threshold if kept else threshold)
    if seconds is None and source.live:
        seconds = 5.0
    readings: list[Reading] = []
    totals, damage = Summary(), None
    waiting: AbstractContextManager[object] = nullcontext()
    if source.live or source.pauses:
        from ..ui.meter import Countdown, counting

        waiting = counting(Countdown(stream, source, seconds, "Speak as you will in the recording."))
    try:
        with waiting:
            for item in Session(source, stream, seconds=seconds, stalls=source.live):
                totals.add(item)
                if isinstance(item, Reading):
                    readings.append(item)
    except InputError as error:
        damage = str(error)
    found = answer(name, readings, totals, stream, max_noisy, min_snr, live=source.live)
    if damage is not None:
        found = replace(found, answer="unknown", why=damage.rstrip("."), advice="Give a whole recording.")
    for sentence in remarks(name, source.notes):
        say(sentence)
    return replace(found, warnings=tuple(source.notes))


def answer(
    name: str,
    readings: Sequence[Reading],
    totals: Summary,
    stream: Stream,
    max_noisy: float,
    min_snr: float | None,
    *,
    live: bool,
) -> Answer:
    """What the readings of a stream say.

    Unknown when more than half of it could not be judged, or the end of a live input. No sentence says more than
    the numbers beside it: the SNR that is compared with `min_snr` is the lowest of those shown.
    """
    from ..ui.wording import CLIPPING, NOISE_ALONE, behind_voice, explain, only_voice, verdict

    seconds, noisy = stream.heard_s, totals.noisy(stream.time)
    judged = [r for r in readings if r.noise is not None]
    all_snr = _median(judged)
    noisy_snr = _median([r for r in judged if r.state == "noisy"])
    other_snr = _median([r for r in judged if r.state != "noisy"])

    def made(what: Literal["ok", "noisy", "unknown"], why: str, then: str) -> Answer:
        return Answer(
            source=name,
            answer=what,
            why=why,
            advice=then,
            seconds=round(seconds, 1),
            noisy=None if noisy is None else round(noisy, 3),
            snr_db=all_snr,
            snr_noisy_db=noisy_snr,
            snr_otherwise_db=other_snr,
            reference=readings[-1].reference if readings else "assumed",
        )

    if not readings:
        return made("unknown", f"{seconds:.1f} s of sound are too little", "Three seconds make a window.")
    unjudged = totals.unjudged(stream.time) or 0.0
    if live and readings[-1].reason == "stalled":
        return made("unknown", f"nothing came after {seconds:.1f} s", explain("stalled", live=True))
    most = max(unjudged, totals.unknown / totals.readings) > 0.5
    if noisy is None or most or (live and readings[-1].noise is None):
        why = f"{unjudged:.0%} of the input could not be judged"
        return made("unknown", why, explain(totals.reason, live=live) or "Try again.")
    loudest = max((r.level_dbfs for r in judged if r.level_dbfs is not None), default=-200.0)
    if all_snr is None and loudest < NOTHING_DBFS:
        why = f"nobody spoke, and the level stayed below {NOTHING_DBFS:.0f} dBFS"
        return made("unknown", why, "The input may be muted or turned down: say something.")
    share = f"{noisy:.0%} of {seconds:.0f} s is noisy"
    if noisy > max_noisy:
        if any("clipping" in r.warnings for r in judged if r.state == "noisy"):
            then = CLIPPING
        else:
            then = NOISE_ALONE if noisy_snr is None else behind_voice(noisy_snr)
        return made("noisy", f"{share}, {_snr_apart(noisy_snr, other_snr)}", then)
    if min_snr is not None:
        known = [(snr, when) for snr, when in ((all_snr, ""), (noisy_snr, " while it is noisy")) if snr is not None]
        if not known:
            return made("unknown", "nobody spoke, so there is no SNR", "Speak as you will in the recording.")
        lowest, when = min(known)
        if lowest < min_snr:
            why = f"SNR {_db(lowest)}{when}; the minimum is {min_snr:g} dB"
            return made("noisy", why, "Go closer to the microphone.")
    why = f"{share}, {'nobody spoke' if all_snr is None else f'SNR {_db(all_snr)}'}"
    unsure = sum(verdict(r, stream.detector.config.off) == "maybe" for r in judged) / len(judged)
    if any("clipping" in r.warnings for r in judged):
        then = CLIPPING
    elif noisy:
        then = "It was not quiet all the time."
        if noisy_snr is not None and all_snr is not None and noisy_snr < all_snr:
            then = f"It was not quiet all the time: SNR {_db(noisy_snr)} while it was noisy."
    elif unsure > UNSURE:
        then = f"There may be noise: too faint or too brief to be sure for {unsure:.0%} of the time."
    elif all_snr is not None:
        then = only_voice(all_snr)
    else:
        then = "Speak meanwhile for a surer answer." if readings[-1].reference == "assumed" else "Quiet."
    return made("ok", why, then)


def _median(readings: Sequence[Reading]) -> float | None:
    """Median SNR of the readings in which someone speaks, dB."""
    known = [r.snr_db for r in readings if r.snr_db is not None]
    return round(median(known), 1) if known else None


def _snr_apart(noisy: float | None, otherwise: float | None) -> str:
    if noisy is None:
        return "nobody spoke" if otherwise is None else f"SNR {_db(otherwise)} without it"
    return f"SNR {_db(noisy)} while it is noisy" + ("" if otherwise is None else f", {_db(otherwise)} otherwise")


def _db(value: float) -> str:
    return f"{round(value)} dB"
