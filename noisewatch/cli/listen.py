"""`listen`: live inputs, and recordings played as if live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import UsageError, printable
from ..system.paths import expand_home
from .app import command
from .arguments import refuse_beside, refuse_without, typed
from .help import ACTIONS, DETECTION, INPUT, OUTPUT
from .options import CalibratedThreshold, Channels, ConfiguredModel, Devices, RawRate
from .stderr import notify, write_line

if TYPE_CHECKING:
    from ..core.events import Event, Reading
    from ..outputs.stdout import StdoutWriter
    from ..tasks.listen import Listening
    from ..ui.history import History

    Item = Reading | Event
    Begin = Callable[[Callable[[str], None]], Listening]
    Form = Callable[[Item, History], str | None]  # the line for an item, if there is one


SourceWord = Annotated[
    str | None, typer.Argument(help="A recording, - for stdin, or demo. Default: the microphone.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="Stop after this much audio; with a pipe, also after this much time.",
        rich_help_panel=INPUT,
    ),
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast/--no-fast",
        help="Read a recording as fast as possible, not in real time.",
        rich_help_panel=INPUT,
    ),
]
Reopen = Annotated[
    bool,
    typer.Option(
        "--reconnect/--no-reconnect",
        help="Reopen a microphone that has gone away or stopped sending.",
        rich_help_panel=INPUT,
    ),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait", help="Wait for a microphone that is missing at the start.", rich_help_panel=INPUT
    ),
]
FollowDefault = Annotated[
    bool,
    typer.Option(
        "--follow-default/--no-follow-default",
        help="Move when another microphone becomes the system's default.",
        rich_help_panel=INPUT,
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="Seconds between readings.",
        show_default="the model's, 0.1",
        rich_help_panel=DETECTION,
    ),
]
UseCalibration = Annotated[
    bool,
    typer.Option(
        "--calibration/--no-calibration",
        help="Use the calibration of the microphone.",
        rich_help_panel=DETECTION,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json/--no-json",
        help="Print readings and events as JSON lines; no meter.",
        rich_help_panel=OUTPUT,
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append every event to a file, as JSON lines.", rich_help_panel=OUTPUT),
]
TableFile = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Append every noise to a CSV file.", rich_help_panel=OUTPUT),
]
LabelFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append every noise to an Audacity label track.", rich_help_panel=OUTPUT),
]
Exec = Annotated[
    str | None,
    typer.Option(
        "--exec",
        metavar="COMMAND",
        help="Command to run on every event (its output is discarded). Write event fields in braces; "
        "inside sh -c, use variables like $NOISEWATCH_EVENT_DEVICE instead.",
        rich_help_panel=ACTIONS,
    ),
]
ClipFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Save each noise as a FLAC in this folder.",
        show_default="nothing is saved",
        rich_help_panel=ACTIONS,
    ),
]
PreRoll = Annotated[
    float, typer.Option(metavar="S", help="Seconds of audio before the noise in a clip.", rich_help_panel=ACTIONS)
]


@command(
    "noisewatch listen                                the default microphone",
    "noisewatch listen --device 2 --log events.jsonl",
    "noisewatch listen --device A --device B          two microphones, a row for each",
    "noisewatch listen talk.flac --fast               as fast as possible",
    "ffmpeg -v error -i talk.mp4 -f wav - | noisewatch listen -",
    "noisewatch listen --exec 'notify-send \"{event} {noise:.0%}\"'",
    configurable=True,
)
def listen(
    ctx: typer.Context,
    source: SourceWord = None,
    device: Devices = None,
    channel: Channels = None,
    raw_rate: RawRate = None,
    seconds: Seconds = None,
    fast: Fast = False,
    reconnect: Reopen = True,
    wait: Wait = False,
    follow_default: FollowDefault = False,
    model: ConfiguredModel = DEFAULT,
    threshold: CalibratedThreshold = None,
    hop: Hop = None,
    calibration: UseCalibration = True,
    as_json: AsJson = False,
    log: LogFile = None,
    table: TableFile = None,
    labels: LabelFile = None,
    exec_: Exec = None,
    keep_clips: ClipFolder = None,
    pre_roll: PreRoll = 2.0,
) -> None:
    """Listen for noise behind a voice, live.

    Shows a meter, or plain lines if stdout is not a terminal. Press Ctrl-C to stop.
    """
    from ..outputs.registry import make_sinks

    if keep_clips is None:
        refuse_without(ctx, "--keep-clips", "pre_roll")
    if source is None and fast:
        refuse_without(ctx, "a recording", "fast")
    asked = [name for name, on in {"wait": wait, "follow_default": follow_default}.items() if on]
    if source is not None:
        refuse_beside(ctx, "source", *asked, *([] if reconnect else ["reconnect"]))
    if not reconnect and asked:
        if typed(ctx, "reconnect"):  # over what is configured
            refuse_beside(ctx, "reconnect", *asked)
            wait = follow_default = False
        elif any(typed(ctx, name) for name in asked):
            reconnect = True
        else:
            raise UsageError("reconnect is configured as off, so wait and follow-default would be ignored.")
    if follow_default and typed(ctx, "device") and not typed(ctx, "follow_default"):
        follow_default = False
    if follow_default:
        refuse_beside(ctx, "follow_default", "device", *(["calibration"] if calibration else []))
        calibration, device = False, None
    if threshold is not None and calibration and typed(ctx, "threshold"):
        refuse_beside(ctx, "threshold", "calibration")
    if source is not None and calibration:
        refuse_beside(ctx, "source", "calibration")
    if source is not None:  # the configured device is for microphones
        device = device if typed(ctx, "device") else None
        channel = channel if typed(ctx, "channel") else None
    if source != "-":
        raw_rate = raw_rate if typed(ctx, "raw_rate") else None
    sinks = make_sinks(
        log=log and expand_home(log),
        table=table and expand_home(table),
        labels=labels and expand_home(labels),
        command=exec_,
        clips=keep_clips and expand_home(keep_clips),
        pre_roll_s=pre_roll,
    )

    def begin(notify: Callable[[str], None]) -> Listening:
        from ..core.noise_detector import NoiseDetector
        from ..inputs.opening import Reconnect
        from ..inputs.several import open_inputs
        from ..tasks import listen as task

        detector = NoiseDetector(model)
        opened = open_inputs(
            source, device=device, channel=channel, raw_rate=raw_rate, paced=not fast,
            reconnect=Reconnect(wait, follow_default, notify) if reconnect else None,
        )  # fmt: skip
        ctx.call_on_close(opened.close)  # last: a sound server may hang
        return task.begin(
            opened, detector, hop=hop, threshold=threshold, calibrated=calibration, seconds=seconds, sinks=sinks,
            notify=notify,
        )  # fmt: skip

    if as_json:
        _lines(begin, lambda item, _: item.json())
        return
    from ..ui import terminal

    console = terminal.console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        _meter(begin, model, several=max(len(device or ()), len(channel or ())) > 1)
    else:
        from ..ui.plain import PlainLines

        _lines(begin, PlainLines())


def _lines(begin: Begin, form: Form) -> None:
    """Lines on stdout, sentences on stderr."""
    from ..outputs.stdout import StdoutWriter

    listening = begin(notify)
    lines = StdoutWriter(live=listening.live)
    histories = {each.name: each.history for each in listening.inputs}

    def show(item: Item) -> None:
        line = form(item, histories[item.input])
        if line is not None:
            lines.write_line(line)

    try:
        _run(listening, show, lines.stop_blocking)
    finally:
        for sentence in _ending(listening, lines):
            if not isinstance(lines.error, BrokenPipeError):  # a reader such as `head` has seen enough
                write_line(printable(sentence))
    listening.require_judged()


def _meter(begin: Begin, model: str, *, several: bool) -> None:
    """The meter, and sentences below it at the end."""
    from ..outputs.screen import Screen
    from ..ui import terminal
    from ..ui.history import History
    from ..ui.meter import Meter, live
    from ..ui.rows import Rows
    from ..ui.status import Status
    from ..ui.suspend import suspendable

    screen = Screen()
    console = terminal.console(highlight=False, file=screen)
    name = Path(model).stem
    meter = Rows(name) if several else Meter(History(0.1), name)
    listening = None

    def note(sentence: str) -> None:
        if sentence not in meter.notes:
            meter.notes.append(sentence)

    try:
        # First, to show something while the rest loads.
        with live(meter, console) as drawn, suspendable(drawn, screen.drain):
            listening = begin(note)
            if isinstance(meter, Rows):
                meter.rows = [
                    (each.title, Status(each.history, each.stream, each.source, each.ended))
                    for each in listening.inputs
                ]
            else:
                only = listening.inputs[0]
                meter.history, meter.stream, meter.source = only.history, only.stream, only.source
            _run(listening, lambda item: None)
    finally:
        if listening is not None:
            ending = list(_ending(listening))
            for sentence in [*ending, *meter.notes]:
                console.print(printable(sentence), markup=False, soft_wrap=True)
        screen.close()
    listening.require_judged()


def _run(listening: Listening, show: Callable[[Item], None], hurry: Callable[[], None] = lambda: None) -> None:
    """Show all items, until the end or Ctrl-C. hurry: called on Ctrl-C, before the last items."""
    try:
        for item in listening:
            show(item)
    except (KeyboardInterrupt, SystemExit):
        hurry()
        for item in listening.stop():
            show(item)
        raise
    except OSError:  # stdout has no reader or no room; the log still gets the end of a noise
        listening.stop()
        raise


def _ending(listening: Listening, lines: StdoutWriter | None = None) -> Iterator[str]:
    """Close everything. Yields sentences: the summary, what was lost, the rate of alarms."""
    from ..ui.wording import remarks

    sentences = listening.close()
    stop: BaseException | None = None
    if lines is not None:
        try:
            lines.close()
        except OSError as error:
            stop = error
        except (KeyboardInterrupt, SystemExit) as end:  # while it waited for a reader
            stop = end
            lines.stop_blocking()
            with suppress(OSError):
                lines.close()
        if lines.lost:
            count = f"stdout: {lines.lost} line{'' if lines.lost == 1 else 's'}"
            why = lines.error and (lines.error.strerror or str(lines.error))
            sentences.append(f"{count} not written: {why}" if why else f"{count} lost: the reader did not keep up")
    yield from listening.summary()
    yield from dict.fromkeys(s for each in listening.inputs for s in remarks(each.source.name, each.source.notes))
    yield from sentences
    yield from listening.count()
    if stop is not None:
        raise stop
