"""One input of a session: a source judged through one stream, what was heard so far, and its calibration."""

from __future__ import annotations

from collections.abc import Generator

from ..core.events import Event, Reading
from ..core.session import Session
from ..core.stream import Stream
from ..errors import DeviceError, InputError, ModelError, NoisewatchError
from ..inputs.source import Source
from ..outputs.dispatch import Dispatcher
from ..ui.history import History
from ..ui.wording import explain, session_summary
from . import calibrations
from .calibrations import Calibration, Notify


class InputSession:
    """Iterate over it once for the readings and events; `stop` it if you leave early, on the same thread.

    error         why it has ended before its time
    model_failed  whether that was the model's fault
    """

    def __init__(
        self,
        name: str | None,
        source: Source,
        stream: Stream,
        dispatcher: Dispatcher,
        notify: Notify,
        *,
        seconds: float | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """name: of one of several inputs; dispatcher: gets the events, and the audio."""
        self.name, self.source, self.stream = name, source, stream
        self.history = History(stream.hop_s, stream.detector.config)
        self.error: NoisewatchError | None = None
        self._dispatcher, self._notify, self._calibration = dispatcher, notify, calibration
        self._session = Session(
            source, stream, input=name, seconds=seconds,
            heard=lambda block, rate: dispatcher.audio(block, rate, input=name),
            lost=lambda lost_s: dispatcher.skip(lost_s, input=name),
        )  # fmt: skip

    @property
    def title(self) -> str:
        """The name of the input, for sentences."""
        return self.name or self.source.name

    @property
    def model_failed(self) -> bool:
        """Whether the model has ended it."""
        return isinstance(self.error, ModelError)

    def __iter__(self) -> Generator[Reading | Event, None, None]:
        try:
            for item in self._session:
                self._take(item)
                yield item
        except NoisewatchError as error:
            self.error = error
            raise

    def stop(self) -> list[Reading | Event]:
        """End early. Returns what was decided but not yet yielded, and the end of a noise that is on."""
        rest = self._session.interrupted()
        for item in rest:
            self._take(item)
        return rest

    def ended(self) -> str | None:
        """Why it has ended before its time, in a sentence."""
        return None if self.error is None else f"It has ended: {str(self.error).partition('. ')[0]}."

    def summary(self) -> str:
        """One line: minutes heard, shares, noises, drops."""
        return session_summary(
            self.history.totals,
            time=self.stream.time,
            heard_s=self.stream.heard_s,
            drops=self.source.drops,
            skipped=self.stream.skipped,
        )

    def failure(self) -> NoisewatchError | None:
        """Why it ended early, or DeviceError or InputError if nothing could be judged."""
        if self.error is not None:
            return self.error
        totals, last = self.history.totals, self.history.last
        if totals.unknown < totals.readings:
            return None
        if last is None or not self.stream.heard_s:
            problem, advice = f"{self.title} sent nothing.", "Check the program that should write to it."
        else:
            why = explain(last.reason, live=self.source.live)
            problem, advice = f"none of {self.title} could be judged. {why}", "Give a recording with sound in it."
        if self.source.live:
            return DeviceError(f"{problem} List other inputs: noisewatch devices")
        return InputError(f"{problem} {advice}")

    def count(self) -> list[str]:
        """Count the session in the calibration that it used. Returns a sentence about the rate of alarms."""
        return [] if self._calibration is None else [self._counted(self._calibration)]

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
