"""Listens to a source: yields readings and events as they come, and passes the events to sinks."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..core.events import Event, Reading
from ..core.noise_detector import NoiseDetector
from ..core.session import Session
from ..core.shipped import DEFAULT
from ..core.stream import Stream
from ..errors import DeviceError, InputError, ModelError, NoisewatchError, UsageError, numeric
from ..inputs.opening import Input, Reconnect, open_source
from ..inputs.source import Source
from ..outputs.dispatch import Dispatcher
from ..outputs.sink import SessionInfo, Sink
from ..ui.history import History
from ..ui.wording import explain, session_summary
from . import calibrations
from .calibrations import Calibration, Notify

log = logging.getLogger("noisewatch")


def listen(
    source: Input = None,
    *,
    device: str | None = None,
    channel: int | None = None,
    raw_rate: int | None = None,
    model: str | Path | NoiseDetector = DEFAULT,
    hop: float | None = None,
    threshold: float | None = None,
    calibrated: bool = True,
    seconds: float | None = None,
    paced: bool = False,
    reconnect: bool = True,
    wait: bool = False,
    follow_default: bool = False,
    sinks: Sequence[Sink] = (),
    notify: Notify = log.warning,
) -> Items:
    """Return the readings and events of a source as they come.

    >>> for item in noisewatch.listen("talk.flac"):
    ...     print(item.json())

    source: None for the microphone, a path, "-" for stdin, "demo", or an object with the methods of
    `noisewatch.inputs.source.Source`. device: index of a microphone, or a unique part of its name. channel: counted
    from 1; by default the first of a microphone, the mean of a recording. raw_rate: sample rate (Hz) of a pipe that
    carries raw s16le mono. model: a shipped model, an ONNX file or a loaded detector. hop: s between readings.
    threshold: readings with at least this noise probability count as noise; by default that of the microphone's
    calibration (unless `calibrated` is False), else the model's. seconds: stop after this much audio. paced: play a
    recording in real time. sinks: further destinations for the events. notify: called with a sentence on each
    failure that does not end the session.

    For a microphone: reconnect: open it again whenever it has gone away or sent nothing for 10 s; otherwise a
    device that goes away raises DeviceError. wait: also wait for one that is missing at the start. follow_default:
    listen to the system's default input, without a calibration, and move when another device becomes the default.

    The source is opened at once. The iterator closes it, and ends a noise that is on, when it is exhausted, closed,
    left as a context manager, or garbage-collected. A source object is left open.
    Raises DeviceError, InputError, ModelError, OutputError and UsageError.
    """
    detector = model if isinstance(model, NoiseDetector) else NoiseDetector(model)
    if (wait or follow_default) and not reconnect:
        raise UsageError("wait and follow_default need reconnect. Leave reconnect=False out.")
    opened = open_source(
        source, device=device, channel=channel, raw_rate=raw_rate, paced=paced,
        reconnect=Reconnect(wait, follow_default, notify) if reconnect else None,
    )  # fmt: skip
    try:
        listening = begin(
            opened, detector, hop=hop, threshold=threshold, calibrated=calibrated and not follow_default,
            seconds=seconds, sinks=sinks, notify=notify,
        )  # fmt: skip
    except BaseException:
        if opened is not source:
            opened.close()
        raise

    return Items(listening, notify, close_source=opened is not source)


def begin(
    source: Source,
    detector: NoiseDetector,
    *,
    hop: float | None,
    threshold: float | None,
    calibrated: bool,
    seconds: float | None,
    sinks: Sequence[Sink],
    notify: Notify,
) -> Listening:
    """A session on an open source, with the options of `listen`. The caller closes the session, then the source."""
    if seconds is not None and not 1 <= numeric("seconds", seconds) < float("inf"):
        raise UsageError(f"seconds is {seconds}; allowed: 1 or more. The first full window takes 3.")
    calibration = None
    if calibrated and threshold is None:
        calibration = calibrations.of_source(source, detector, hop, notify)
    stream = detector.stream(hop=hop, threshold=calibration.threshold if calibration else threshold)
    return Listening(source, stream, seconds=seconds, sinks=sinks, calibration=calibration, notify=notify)


class Items(Iterator["Reading | Event"]):
    """The readings and events of a session; closes it at the end, however it ends."""

    def __init__(self, listening: Listening, notify: Notify, *, close_source: bool) -> None:
        self._listening, self._notify, self._close_source = listening, notify, close_source
        self._items = iter(listening)
        self._exhausted = self._closed = False

    def __next__(self) -> Reading | Event:
        try:
            return next(self._items)
        except BaseException as end:
            self._exhausted = isinstance(end, StopIteration)
            self.close()
            raise

    def close(self) -> None:
        """End the session. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._exhausted:
                self._listening.stop()
            self._items.close()  # and with it the file or the program that the source reads
            for sentence in [*self._listening.close(), *self._listening.count()]:
                self._notify(sentence)
        finally:
            if self._close_source:
                self._listening.source.close()

    def __enter__(self) -> Items:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Listening:
    """A session: a source judged through one stream, its totals, and the sinks that take its events.

    Iterate over it once; `stop` it if you leave early; `close` it and `count` it at the end.
    """

    def __init__(
        self,
        source: Source,
        stream: Stream,
        *,
        seconds: float | None = None,
        sinks: Sequence[Sink] = (),
        calibration: Calibration | None = None,
        notify: Notify = log.warning,
    ) -> None:
        """Open the sinks. Raises OutputError for one that cannot be written."""
        self.source, self.stream = source, stream
        self.history = History(stream.hop_s, stream.detector.config)
        self.model_failed = False
        self._calibration, self._notify = calibration, notify
        lag_s = stream.detector.config.lag_s(stream.hop_s)
        info = SessionInfo(source.name, source.live, lag_s, datetime.now(UTC))
        self._dispatcher = Dispatcher(sinks, notify, info)
        self._session = Session(
            source, stream, seconds=seconds, heard=self._dispatcher.audio, lost=self._dispatcher.skip
        )

    def __iter__(self) -> Generator[Reading | Event, None, None]:
        try:
            for item in self._session:
                self._take(item)
                yield item
        except ModelError:
            self.model_failed = True
            raise

    def stop(self) -> list[Reading | Event]:
        """End early. Returns what was decided but not yet yielded, and the end of a noise that is on."""
        rest = self._session.interrupted()
        for item in rest:
            self._take(item)
        return rest

    def close(self) -> list[str]:
        """Close the sinks. Returns a sentence for each one that lost events."""
        try:
            return self._dispatcher.close()
        except (KeyboardInterrupt, SystemExit):  # a clip that is being written is still completed
            self._dispatcher.close()
            raise

    def count(self) -> list[str]:
        """Count the session in the calibration that it used. Returns a sentence about the rate of alarms."""
        return [] if self._calibration is None else [self._counted(self._calibration)]

    def summary(self) -> str:
        """One line: minutes heard, shares, noises, drops."""
        return session_summary(
            self.history.totals,
            time=self.stream.time,
            heard_s=self.stream.heard_s,
            drops=self.source.drops,
            skipped=self.stream.skipped,
        )

    def require_judged(self) -> None:
        """Raise DeviceError or InputError if none of the input could be judged."""
        totals, last = self.history.totals, self.history.last
        if totals.unknown < totals.readings:
            return
        name, live = self.source.name, self.source.live
        if last is None or not self.stream.heard_s:
            problem, advice = f"{name} sent nothing.", "Check the program that should write to it."
        else:
            why = explain(last.reason, live=live)
            problem, advice = f"none of {name} could be judged. {why}", "Give a recording with sound in it."
        if live:
            raise DeviceError(f"{problem} List other inputs: noisewatch devices")
        raise InputError(f"{problem} {advice}")

    def _take(self, item: Reading | Event) -> None:
        self.history.add(item)
        if isinstance(item, Event):
            self._dispatcher.event(item)

    def _counted(self, used: Calibration) -> str:
        """Add the session to the calibration that it used, unless that has been forgotten or replaced since."""
        totals = self.history.totals
        judged_s = totals.judged_s(self.stream.time)
        try:
            with calibrations.changed(self._notify) as known:
                now = known.get(used.device)
                if now is None or now.key != used.key:
                    return f"the calibration of {used.device} has changed since; this session is not counted"
                counted = known[used.device] = now.after(judged_s, totals.noises)
        except NoisewatchError as error:
            return f"this session is not counted: {error}"
        return f"threshold {counted.threshold:.2f}, calibrated {counted.made}: {counted.sentence()}"
