"""Listens to one or several inputs: yields readings and events as they come, and passes the events to sinks."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..core.events import Event, Reading
from ..core.noise_detector import NoiseDetector
from ..core.shipped import DEFAULT
from ..errors import UsageError, numeric
from ..inputs.opening import Input, Reconnect
from ..inputs.several import Inputs, open_inputs
from ..outputs.dispatch import Dispatcher
from ..outputs.sink import SessionInfo, Sink
from . import calibrations
from .calibrations import Notify
from .input_session import InputSession
from .merge import Merge

log = logging.getLogger("noisewatch")


def listen(
    source: Input = None,
    *,
    device: str | Sequence[str] | None = None,
    channel: int | Sequence[int] | None = None,
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
    `noisewatch.inputs.source.Source`. device: index of a microphone, or a unique part of its name. channel:
    counted from 1; by default the first of a microphone, the mean of a recording. Lists of them make an input of
    every device with every channel, up to 8, each with readings, events and numbers of its own, told apart by
    `input`. raw_rate: sample rate (Hz) of a pipe that carries raw s16le mono. model: a shipped model, an ONNX
    file or a loaded detector. hop: s between readings. threshold: readings with at least this noise probability
    count as noise; by default that of the microphone's calibration (unless `calibrated` is False), else the
    model's. seconds: stop after this much audio. paced: play a recording in real time. sinks: further
    destinations for the events. notify: called with a sentence on each failure that does not end the session.

    For a microphone: reconnect: open it again whenever it has gone away or sent nothing for 10 s; otherwise a
    device that goes away raises DeviceError. wait: also wait for one that is missing at the start. follow_default:
    listen to the system's default input, without a calibration, and move when another device becomes the default.

    The source is opened at once. The iterator closes it, and ends a noise that is on, when it is exhausted, closed,
    left as a context manager, or garbage-collected. A source object is left open.
    If one of several inputs fails, the others go on, and the worst error is raised when all have ended.
    Raises DeviceError, InputError, ModelError, OutputError and UsageError.
    """
    detector = model if isinstance(model, NoiseDetector) else NoiseDetector(model)
    if (wait or follow_default) and not reconnect:
        raise UsageError("wait and follow_default need reconnect. Leave reconnect=False out.")
    inputs = open_inputs(
        source, device=device, channel=channel, raw_rate=raw_rate, paced=paced,
        reconnect=Reconnect(wait, follow_default, notify) if reconnect else None,
    )  # fmt: skip
    ours = all(opened is not source for opened in inputs.sources.values())
    try:
        listening = begin(
            inputs, detector, hop=hop, threshold=threshold, calibrated=calibrated and not follow_default,
            seconds=seconds, sinks=sinks, notify=notify,
        )  # fmt: skip
    except BaseException:
        if ours:
            inputs.close()
        raise
    return Items(listening, notify, close_inputs=ours)


def begin(
    inputs: Inputs,
    detector: NoiseDetector,
    *,
    hop: float | None,
    threshold: float | None,
    calibrated: bool,
    seconds: float | None,
    sinks: Sequence[Sink],
    notify: Notify,
) -> Listening:
    """A session on open inputs, with the options of `listen`. The caller closes the session, then the inputs.

    Raises OutputError for a sink that cannot be written.
    """
    if seconds is not None and not 1 <= numeric("seconds", seconds) < float("inf"):
        raise UsageError(f"seconds is {seconds}; allowed: 1 or more. The first full window takes 3.")
    prepared = []
    for name, source in inputs.sources.items():
        found = None
        if calibrated and threshold is None:
            found = calibrations.of_source(source, detector, hop, notify)
        stream = detector.stream(hop=hop, threshold=found.threshold if found else threshold)
        prepared.append((name, source, stream, found))
    names = [name for name in inputs.sources if name is not None]
    _, source, stream, _ = prepared[0]
    info = SessionInfo(", ".join(names) or source.name, source.live, stream.lag_s, datetime.now(UTC))
    dispatcher = Dispatcher(sinks, notify, info, names)
    sessions = [
        InputSession(name, source, stream, dispatcher, notify, seconds=seconds, calibration=found)
        for name, source, stream, found in prepared
    ]
    return Listening(inputs, sessions, dispatcher, notify)


class Items(Iterator["Reading | Event"]):
    """The readings and events of a session; closes it at the end, however it ends."""

    def __init__(self, listening: Listening, notify: Notify, *, close_inputs: bool) -> None:
        self._listening, self._notify, self._close_inputs = listening, notify, close_inputs
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
            if self._close_inputs:
                self._listening.close_inputs()

    def __enter__(self) -> Items:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Listening:
    """A session: its inputs, and the sinks that take their events.

    Iterate over it once; `stop` it if you leave early; `close` it and `count` it at the end.

    inputs  one, or several
    """

    def __init__(
        self, inputs: Inputs, sessions: Sequence[InputSession], dispatcher: Dispatcher, notify: Notify
    ) -> None:
        self.inputs = sessions
        self.close_inputs = inputs.close
        self._dispatcher = dispatcher
        self._merge = Merge(sessions, inputs.stop, notify) if inputs.splitters else None

    def __iter__(self) -> Generator[Reading | Event, None, None]:
        """Yield the items of all inputs. An error of one of several is raised when all have ended."""
        if self._merge is None:
            yield from self.inputs[0]
            return
        yield from self._merge
        if any(each.error for each in self.inputs):
            self.require_judged()

    @property
    def live(self) -> bool:
        """Whether the inputs are live: all are, or none."""
        return self.inputs[0].source.live

    def stop(self) -> list[Reading | Event]:
        """End early. Returns what was decided but not yet yielded, and the ends of noises that are on."""
        return self.inputs[0].stop() if self._merge is None else self._merge.stop()

    def close(self) -> list[str]:
        """Close the sinks. Returns a sentence for each one that lost events."""
        try:
            return self._dispatcher.close()
        except (KeyboardInterrupt, SystemExit):  # a clip that is being written is still completed
            self._dispatcher.close()
            raise

    def count(self) -> list[str]:
        """Count the session in the calibrations that it used. Returns sentences about the rates of alarms."""
        return [self.named(each, sentence) for each in self.inputs for sentence in each.count()]

    def summary(self) -> list[str]:
        """A line for each input: minutes heard, shares, noises, drops."""
        return [
            self.named(each, each.summary())
            for each in self.inputs
            if each.history.totals.readings or not each.model_failed  # otherwise it would blame the sound
        ]

    def named(self, one: InputSession, sentence: str) -> str:
        """A sentence about one input, with its name if there are several."""
        return sentence if one.name is None else f"{one.name}: {sentence}"

    def require_judged(self) -> None:
        """Raise the worst error of the inputs; of one that could not be judged: DeviceError or InputError."""
        failures = [failure for each in self.inputs if (failure := each.failure()) is not None]
        if failures:
            raise max(failures, key=lambda failure: failure.exit_code)
