"""`listen` and `devices`: live inputs, and recordings as if they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import DeviceError, InputError, ModelError, NoisewatchError, UsageError, printable
from ..system.paths import expand_home
from .base import OWN_THRESHOLD, command, refuse_beside, refuse_without, say, tell, typed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core.events import Event, Reading
    from ..core.noise_detector import NoiseDetector
    from ..core.session import Session
    from ..inputs.source import Source
    from ..outputs.dispatch import Dispatcher
    from ..outputs.stdout import StdoutWriter
    from ..tasks.calibration import Calibration
    from ..ui.history import History

    Form = Callable[[Reading | Event, History], str | None]  # the line for an item, if there is one
    Show = Callable[[Reading | Event, History], None]  # is given every item, after the history took it


@command()
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the inputs: index, name, channels, native rate, the default, and what they are calibrated to."""
    from ..inputs.devices import list_devices
    from ..tasks import calibration

    found, known = list_devices(), calibration.stored(say)
    if as_json:
        for device in found:
            kept = known.get(device.name)
            print(json.dumps(asdict(device) | {"calibration": asdict(kept) if kept else None}))
        return
    from rich.table import Table

    from ..ui import terminal

    table = Table("index", "name", "system", "channels", "rate (Hz)", "default", box=None, header_style="bold")
    if known:
        table.add_column("calibrated")
    for d in found:
        mark, kept = "default" if d.default else "", known.get(d.name)
        cells = [str(d.index), printable(d.name), printable(d.api), str(d.channels), str(d.sample_rate), mark]
        if known:
            cells.append(f"threshold {kept.threshold:.2f}; {kept.sentence()}" if kept else "")
        table.add_row(*cells)
    terminal.console().print(table, markup=False)


@command(context_settings={"auto_envvar_prefix": "NOISEWATCH"})
def listen(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Argument(help="A recording, - for stdin, or demo. Without it: the microphone.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Microphone: index, or a unique part of its name.")] = None,
    channel: Annotated[
        int | None, typer.Option(help="Channel, counted from 1.", show_default="the first; of a recording the mean")
    ] = None,
    model: Annotated[str, typer.Option(help="Shipped model or an .onnx file.")] = DEFAULT,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between readings.", show_default="the model's, 0.1")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Noise from this probability on.", show_default=f"the calibration's, or {OWN_THRESHOLD}"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after this much audio; a pipe at the latest after this much time.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast/--no-fast", help="A recording as fast as it goes, not paced as if live.")
    ] = False,
    raw_rate: Annotated[
        int | None, typer.Option(help="The pipe carries raw s16le mono at this rate (Hz), not WAV.")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json/--no-json", envvar="NOISEWATCH_JSON", help="Readings and events as JSON lines, no meter."
        ),
    ] = False,
    log: Annotated[Path | None, typer.Option(help="Append every event to a file, as JSON lines.")] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", envvar="NOISEWATCH_CSV", help="Append every noise to a csv.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Append every noise to an Audacity label track.")] = None,
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            envvar="NOISEWATCH_EXEC",
            help="Run on every event; output is discarded, e.g. 'notify-send {event} {noise:.0%}'. In sh -c, use "
            "variables like $NOISEWATCH_EVENT_DEVICE, never fields.",
        ),
    ] = None,
    keep_clips: Annotated[
        Path | None, typer.Option(help="Keep each noise as a FLAC in this folder.", show_default="nothing is kept")
    ] = None,
    pre_roll: Annotated[float, typer.Option(help="Seconds before the noise in a clip.")] = 2.0,
    calibration: Annotated[
        bool, typer.Option("--calibration/--no-calibration", help="Use what `calibrate` found for the device.")
    ] = True,
) -> None:
    """Watch for noise behind the voice, live."""
    from ..outputs.dispatch import Dispatcher
    from ..outputs.registry import make_sinks
    from ..outputs.sink import SessionInfo

    if seconds is not None and not 1 <= seconds < float("inf"):
        raise UsageError(f"--seconds is {seconds}; allowed: 1 or more. The first full window takes 3.")
    if keep_clips is None:
        refuse_without(ctx, "--keep-clips", "pre_roll")
    if source is None and fast:
        refuse_without(ctx, "a recording", "fast")
    if threshold is not None and calibration and typed(ctx, "threshold"):
        refuse_beside(ctx, "threshold", "calibration")
    if source is not None and calibration:
        refuse_beside(ctx, "source", "calibration")
    if source is not None:  # what is configured is about the microphone
        device = device if typed(ctx, "device") else None
        channel = channel if typed(ctx, "channel") else None
    if source != "-":
        raw_rate = raw_rate if typed(ctx, "raw_rate") else None
    sinks = make_sinks(
        log=log and expand_home(log),
        table=table and expand_home(table),
        labels=labels and expand_home(labels),
        command=command,
        clips=keep_clips and expand_home(keep_clips),
        pre_roll_s=pre_roll,
    )

    def opened(say: Callable[[str], None]) -> _Heard:
        from ..core.noise_detector import NoiseDetector
        from ..core.session import Session
        from ..inputs.opening import open_source

        detector = NoiseDetector(model)
        input = open_source(source, device=device, channel=channel, raw_rate=raw_rate, paced=not fast)
        ctx.call_on_close(input.close)  # last: a sound server may hang
        kept = None if not calibration or threshold is not None else calibrated(input, detector, hop, say)
        stream = detector.stream(hop=hop, threshold=kept.threshold if kept else threshold)
        lag_s = stream.detector.config.lag_s(stream.hop_s)
        info = SessionInfo(input.name, input.sample_rate, input.live, lag_s, datetime.now(UTC))
        dispatcher = Dispatcher(sinks, say, info)

        def heard(block: NDArray[np.float32]) -> None:
            info.sample_rate = input.sample_rate
            dispatcher.audio(block)

        session = Session(input, stream, seconds=seconds, heard=heard, lost=dispatcher.skip)
        return _Heard(session, dispatcher, kept, say)

    if as_json:
        _listen_lines(opened, lambda item, _: item.json())
        return
    from ..ui import terminal

    console = terminal.console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        _listen_meter(opened, model)
    else:
        _listen_lines(opened, _plain())


def calibrated(
    source: Source, detector: NoiseDetector, hop: float | None, say: Callable[[str], None]
) -> Calibration | None:
    """What `calibrate` found for a microphone with this model and hop; say: is told of damage."""
    if not source.live:
        return None
    from ..tasks.calibration import fitting

    return fitting(source.name, detector.model.card, hop, say)


class _Heard:
    """A session with all that it sets off, and what there is to say when it ends."""

    def __init__(
        self,
        session: Session,
        dispatcher: Dispatcher,
        calibration: Calibration | None,
        say: Callable[[str], None],
    ) -> None:
        from ..ui.history import History

        self.session, self.dispatcher, self.calibration, self.say = session, dispatcher, calibration, say
        self.history = History(session.stream.hop_s, session.stream.detector.config)
        self.lines: StdoutWriter | None = None  # on stdout
        self._model_failed = False

    def run(self, show: Show) -> None:
        """To the end, or until Ctrl-C."""

        from ..core.events import Event

        def keep(item: Reading | Event) -> None:
            self.history.add(item)
            if isinstance(item, Event):
                self.dispatcher.event(item)

        try:
            for item in self.session:
                keep(item)
                show(item, self.history)
        except (KeyboardInterrupt, SystemExit):
            if self.lines is not None:
                self.lines.stop_blocking()
            rest = self.session.interrupted()
            for item in rest:
                keep(item)
            for item in rest:
                show(item, self.history)
            raise
        except ModelError:
            self._model_failed = True
            raise
        except OSError:  # of stdout: nobody reads on, or its disk is full; but the log goes on
            for item in self.session.interrupted():
                keep(item)
            raise

    def end(self) -> Iterator[str]:
        """Closes what is open. Plain sentences: the summary, events that were lost, the rate of alarms."""
        from ..ui.wording import remarks, session_summary

        try:
            lost = self.dispatcher.close()
        except (KeyboardInterrupt, SystemExit):  # what is being written stays whole
            self.dispatcher.close()
            raise
        stop: BaseException | None = None
        if self.lines is not None:
            try:
                self.lines.close()
            except OSError as error:
                stop = error
            except (KeyboardInterrupt, SystemExit) as end:  # while it waited for whoever reads
                stop = end
                self.lines.stop_blocking()
                with suppress(OSError):
                    self.lines.close()
            if missing := self.lines.lost:
                count = f"stdout: {missing} line{'' if missing == 1 else 's'}"
                why = self.lines.error and (self.lines.error.strerror or str(self.lines.error))
                lost.append(f"{count} not written: {why}" if why else f"{count} lost, as nobody read them")
        stream, source = self.session.stream, self.session.source
        if self.history.totals.readings or not self._model_failed:  # or it would blame the sound
            yield session_summary(
                self.history.totals,
                time=stream.time,
                heard_s=stream.heard_s,
                drops=source.drops,
                skipped=stream.skipped,
            )
        yield from remarks(source.name, source.notes)
        yield from lost
        if self.calibration is not None:
            yield self._counted(self.calibration)
        if stop is not None:
            raise stop

    def _counted(self, used: Calibration) -> str:
        """Adds the session to the calibration that it used, unless that was forgotten or made anew meanwhile."""
        from ..tasks import calibration

        totals = self.history.totals
        judged = totals.judged_s(self.session.stream.time)
        try:
            with calibration.changed(self.say) as known:
                now = known.get(used.device)
                if now is None or now.key != used.key:
                    return f"the calibration of {used.device} was changed meanwhile; this session is not counted"
                kept = known[used.device] = now.after(judged, totals.noises)
        except NoisewatchError as error:
            return f"this session is not counted: {error}"
        return f"threshold {kept.threshold:.2f}, calibrated {kept.made}: {kept.sentence()}"


def _plain() -> Form:
    """A line for a reading a second, every change of the verdict and every event."""
    from ..core.events import Event
    from ..ui.wording import event_line, reading_line

    due, before = 0.0, None

    def form(item: Reading | Event, history: History) -> str | None:
        nonlocal due, before
        if isinstance(item, Event):
            return event_line(item)
        verdict = history.verdict(item)
        if item.time >= due - 1e-6 or (verdict, item.reason) != before or item.reason == "stalled":
            due, before = item.time + 1, (verdict, item.reason)
            return reading_line(item, verdict)
        return None

    return form


def _listen_lines(opened: Callable[[Callable[[str], None]], _Heard], form: Form) -> None:
    from ..outputs.stdout import StdoutWriter

    heard = opened(say)
    lines = heard.lines = StdoutWriter(live=heard.session.source.live)

    def show(item: Reading | Event, history: History) -> None:
        line = form(item, history)
        if line is not None:
            lines.line(line)

    try:
        heard.run(show)
    finally:
        for sentence in heard.end():
            if not isinstance(lines.error, BrokenPipeError):  # `| head -1`: nobody wants to know
                tell(printable(sentence))
    _judge_session(heard)


def _listen_meter(opened: Callable[[Callable[[str], None]], _Heard], model: str) -> None:
    from ..outputs.screen import Screen
    from ..ui import terminal
    from ..ui.history import History
    from ..ui.meter import Meter, live

    screen = Screen()
    console = terminal.console(highlight=False, file=screen)
    meter = Meter(History(0.1), Path(model).stem)
    heard = None
    try:
        with live(meter, console):  # first, so that there is a picture while the rest loads
            heard = opened(meter.notes.append)
            meter.history = heard.history
            meter.stream, meter.source = heard.session.stream, heard.session.source
            heard.run(lambda item, history: None)
    finally:
        if heard is not None:
            ending = list(heard.end())
            for sentence in [*ending, *meter.notes]:
                console.print(printable(sentence), markup=False, soft_wrap=True)
        screen.close()
    _judge_session(heard)


def _judge_session(heard: _Heard) -> None:
    """An input of which nothing could be judged is a failure, and its exit code says so."""
    history, source = heard.history, heard.session.source
    if history.totals.unknown < history.totals.readings:
        return
    from ..ui.wording import explain

    if history.last is None or not heard.session.stream.heard_s:
        problem, advice = f"{source.name} sent nothing.", "Check what should write to it."
    else:
        why = explain(history.last.reason, live=source.live)
        problem, advice = f"nothing of {source.name} could be judged. {why}", "Give a recording with sound in it."
    if source.live:
        raise DeviceError(f"{problem} Other inputs: noisewatch devices")
    raise InputError(f"{problem} {advice}")
