"""Is it quiet enough to record? One answer about one source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal

from ..core.events import Reading
from ..core.noise_detector import NoiseDetector
from ..core.session import Session
from ..core.shipped import DEFAULT
from ..core.stream import Stream
from ..core.summary import Summary
from ..errors import InputError, UsageError, numeric
from ..inputs.opening import Input, open_source
from ..inputs.source import Source
from ..ui.wording import CLIPPING, NOISE_ALONE, behind_voice, explain, only_voice, verdict
from . import calibrations
from .calibrations import Notify
from .listen import log

NOTHING_DBFS = -70.0  # a room through an open microphone is louder, if only by the microphone's own noise
WARNED = 0.2  # share of readings with a warning that is worth mentioning
UNSURE = 0.2  # share of readings between the thresholds that is worth mentioning
LIVE_S = 5.0  # of a live input, unless the caller asks for more or less

Ruling = Literal["ok", "noisy", "unknown"]
Waiting = Callable[[Stream, Source, float | None], AbstractContextManager[object]]


@dataclass(frozen=True)
class Answer:
    """The answer of `check`. `None` where a number would be a lie."""

    source: str
    answer: Ruling
    why: str
    advice: str
    seconds: float = 0.0  # of audio
    noisy: float | None = None  # share of the judged time, 0..1
    snr_db: float | None = None  # median over the windows in which someone speaks, like the next two
    snr_noisy_db: float | None = None  # over those that are noisy
    snr_otherwise_db: float | None = None  # over the others
    reference: Literal["heard", "assumed"] = "assumed"
    warnings: tuple[str, ...] = ()  # of a fifth of the readings, and `unfinished` or `cancelled` of the recording


@dataclass(frozen=True)
class Limits:
    """How long to listen, and what is still quiet enough. Raises UsageError for values out of range."""

    max_noisy: float = 0.2  # share of the time that may be noisy, 0..1
    min_snr: float | None = None  # minimum SNR while someone speaks, dB
    seconds: float | None = None  # None: LIVE_S of a live input, all of a recording

    def __post_init__(self) -> None:
        if not 0 <= numeric("share of noisy time", self.max_noisy) <= 1:
            raise UsageError(f"max-noisy is {self.max_noisy:g}; allowed: 0 to 1, a share of the time.")
        if self.min_snr is not None and not 0 <= numeric("minimum SNR", self.min_snr) <= 60:
            raise UsageError(f"min-snr is {self.min_snr:g}; allowed: 0 to 60 dB.")
        if self.seconds is not None and not 3 <= numeric("time to listen", self.seconds) <= 3600:
            raise UsageError(f"seconds is {self.seconds:g}; allowed: 3 (one window) to 3600.")


def check(
    source: Input = None,
    *,
    device: str | None = None,
    channel: int | None = None,
    raw_rate: int | None = None,
    model: str | Path | NoiseDetector = DEFAULT,
    threshold: float | None = None,
    max_noisy: float = 0.2,
    min_snr: float | None = None,
    seconds: float | None = None,
    notify: Notify = log.warning,
) -> Answer:
    """Listen to a source for a while, or to its end, and answer whether it is quiet enough to record.

    >>> noisewatch.check("take.wav").answer
    'ok'

    source, device, channel, raw_rate, model, threshold, notify: as for `noisewatch.listen`. max_noisy: share of the
    time that may be noisy. min_snr: minimum SNR (dB) while someone speaks. seconds: how long to listen, 3 to 3600;
    by default 5 for a microphone, all of a recording.

    A recording that is damaged is `unknown`. Raises InputError if none of it can be read, DeviceError,
    ModelError and UsageError.
    """
    limits = Limits(max_noisy, min_snr, seconds)
    detector = model if isinstance(model, NoiseDetector) else NoiseDetector(model)
    opened = open_source(source, device=device, channel=channel, raw_rate=raw_rate, paced=False)
    try:
        return check_source(opened, detector, limits, threshold=threshold, notify=notify)
    finally:
        if opened is not source:
            opened.close()


def check_source(
    source: Source,
    detector: NoiseDetector,
    limits: Limits,
    *,
    threshold: float | None,
    notify: Notify,
    waiting: Waiting = lambda stream, source, seconds: nullcontext(),
) -> Answer:
    """The answer about an open source. waiting: entered while a microphone or a pipe is listened to."""
    calibration = None if threshold is not None else calibrations.of_source(source, detector, None, notify)
    stream = detector.stream(threshold=calibration.threshold if calibration else threshold)
    seconds = LIVE_S if source.live and limits.seconds is None else limits.seconds
    with waiting(stream, source, seconds) if source.live or source.pauses else nullcontext():
        return _heard(source, stream, seconds, limits)


def _heard(source: Source, stream: Stream, seconds: float | None, limits: Limits) -> Answer:
    """The answer about a source that is open."""
    readings: list[Reading] = []
    totals, damage = Summary(), None
    try:
        for item in Session(source, stream, seconds=seconds, stalls=source.live):
            totals.add(item)
            if isinstance(item, Reading):
                readings.append(item)
    except InputError as error:
        damage = str(error)
    found = answer(source.name, readings, totals, stream, limits, live=source.live)
    if damage is not None:
        found = replace(found, answer="unknown", why=damage.rstrip("."), advice="Give an undamaged recording.")
    often = Counter(name for reading in readings for name in reading.warnings)
    warnings = [name for name, count in often.items() if count >= WARNED * len(readings)]
    return replace(found, warnings=(*source.notes, *warnings))


def answer(
    name: str, readings: Sequence[Reading], totals: Summary, stream: Stream, limits: Limits, *, live: bool
) -> Answer:
    """The answer that the readings of a stream support.

    Unknown if more than half of it could not be judged, or the end of a live input. No sentence claims more than
    the numbers beside it: the SNR that is compared with `min_snr` is the lowest of those shown.
    """
    judged = [r for r in readings if r.noise is not None]
    found = Answer(
        source=name,
        answer="unknown",
        why=f"{stream.heard_s:.1f} s of sound is too little",
        advice="A verdict takes 3 s of sound.",
        seconds=stream.heard_s,
        noisy=totals.noisy(stream.time),
        snr_db=_median(judged),
        snr_noisy_db=_median([r for r in judged if r.state == "noisy"]),
        snr_otherwise_db=_median([r for r in judged if r.state != "noisy"]),
        reference=readings[-1].reference if readings else "assumed",
    )
    if readings:
        ruling, why, advice = (
            _unknown(found, readings, judged, totals, stream, live=live)
            or _noisy(found, judged, limits)
            or _ok(found, judged, stream)
        )
        found = replace(found, answer=ruling, why=why, advice=advice)
    noisy = None if found.noisy is None else round(found.noisy, 3)
    return replace(found, seconds=round(found.seconds, 1), noisy=noisy)


Finding = tuple[Ruling, str, str]  # the answer, why, and what to do


def _unknown(
    found: Answer,
    readings: Sequence[Reading],
    judged: Sequence[Reading],
    totals: Summary,
    stream: Stream,
    *,
    live: bool,
) -> Finding | None:
    unjudged = totals.unjudged(stream.time) or 0.0
    if live and readings[-1].reason == "stalled":
        return "unknown", f"no audio arrived after {stream.heard_s:.1f} s", explain("stalled", live=True)
    most = max(unjudged, totals.unknown / totals.readings) > 0.5
    if found.noisy is None or most or (live and readings[-1].noise is None):
        why = f"{unjudged:.0%} of the input could not be judged"
        return "unknown", why, explain(totals.reason, live=live) or "Try again."
    loudest = max((r.level_dbfs for r in judged if r.level_dbfs is not None), default=-200.0)
    if found.snr_db is None and loudest < NOTHING_DBFS:
        why = f"there was no speech, and the level stayed below {NOTHING_DBFS:.0f} dBFS"
        return "unknown", why, "The input may be muted or turned down: say something."
    return None


def _noisy(found: Answer, judged: Sequence[Reading], limits: Limits) -> Finding | None:
    if found.noisy is not None and found.noisy > limits.max_noisy:
        if any("clipping" in r.warnings for r in judged if r.state == "noisy"):
            advice = CLIPPING
        elif found.snr_noisy_db is None:
            advice = NOISE_ALONE
        else:
            advice = behind_voice(found.snr_noisy_db)
        return "noisy", f"{_share(found)}, {_snr_apart(found.snr_noisy_db, found.snr_otherwise_db)}", advice
    if limits.min_snr is None:
        return None
    known = [
        (snr, when)
        for snr, when in ((found.snr_db, ""), (found.snr_noisy_db, " while it is noisy"))
        if snr is not None
    ]
    if not known:
        return "unknown", "there was no speech, so there is no SNR", "Speak as you will in the recording."
    lowest, when = min(known)
    if lowest < limits.min_snr:
        why = f"SNR {_db(lowest)}{when}; the minimum is {limits.min_snr:g} dB"
        return "noisy", why, "Move closer to the microphone."
    return None


def _ok(found: Answer, judged: Sequence[Reading], stream: Stream) -> Finding:
    snr, noisy_snr = found.snr_db, found.snr_noisy_db
    why = f"{_share(found)}, {'no speech' if snr is None else f'SNR {_db(snr)}'}"
    unsure = sum(verdict(r, stream.detector.config.off) == "maybe" for r in judged) / len(judged)
    if any("clipping" in r.warnings for r in judged):
        advice = CLIPPING
    elif found.noisy:
        advice = "It was not quiet all the time."
        if noisy_snr is not None and snr is not None and noisy_snr < snr:
            advice = f"It was not quiet all the time: SNR {_db(noisy_snr)} while it was noisy."
    elif unsure > UNSURE:
        advice = f"There may be noise: too faint or too brief to be sure for {unsure:.0%} of the time."
    elif snr is not None:
        advice = only_voice(snr)
    else:
        advice = "Speak while it listens for a more reliable answer." if found.reference == "assumed" else "Quiet."
    return "ok", why, advice


def _share(found: Answer) -> str:
    return f"{found.noisy:.0%} of {found.seconds:.0f} s is noisy"


def _median(readings: Sequence[Reading]) -> float | None:
    """Median SNR of the readings in which someone speaks, dB."""
    known = [r.snr_db for r in readings if r.snr_db is not None]
    return round(median(known), 1) if known else None


def _snr_apart(noisy: float | None, otherwise: float | None) -> str:
    if noisy is None:
        return "no speech" if otherwise is None else f"SNR {_db(otherwise)} without it"
    return f"SNR {_db(noisy)} while it is noisy" + ("" if otherwise is None else f", {_db(otherwise)} otherwise")


def _db(value: float) -> str:
    return f"{round(value)} dB"
