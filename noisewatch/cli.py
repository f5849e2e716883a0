"""The command line: arguments, wiring, exit codes. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from .errors import DeviceError, InputError, NoisewatchError, UsageError, printable
from .model import DEFAULT

if TYPE_CHECKING:
    from rich.console import Console

    from .engine import Source, Stream
    from .events import Event, Reading
    from .history import History

WELCOME = """\
noisewatch {version} tells whether there is noise behind the voice.

  noisewatch listen demo    the meter on a clip that comes with it
  noisewatch listen         the meter on your microphone
  noisewatch devices        which microphones there are

More: noisewatch --help"""


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Errors end as a sentence and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except NoisewatchError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        _abandon_stdout()  # whoever read our output has enough
        raise SystemExit(0) from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Rich found out first
            raise SystemExit(0) from None
        raise
    except OSError as error:
        _abandon_stdout()
        _fail(f"cannot write {error.filename or 'the output'}: {error.strerror or error}.", 7)


class _Group(TyperGroup):
    """Both halves of a command: reading its arguments (where --help is answered), and running it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Group,
    name="noisewatch",
    help="Is there noise behind the voice?",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The `noisewatch` command."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _terminate)
    if sys.stderr is None:  # closed by the caller; print would fall back to stdout
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stdout is None:
        _fail("stdout is closed, so there is nowhere to write. Open it, or send it to /dev/null.", 7)
    app()


def _terminate(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _abandon_stdout() -> None:
    """What is left in the buffer has nowhere to go, and Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> NoReturn:
    with suppress(OSError):
        print("\n".join(map(printable, f"noisewatch: {message}".split("\n"))), file=sys.stderr)
    raise SystemExit(code)


def _training(module: str) -> ModuleType:
    """A module of the training package, or the sentence that brings it."""
    try:
        return importlib.import_module(f"noisewatch.training.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("noisewatch"):
            raise
        raise UsageError(
            f"this needs the training extra ({error.name} is missing). Install it: pip install 'noisewatch[train]' "
            "or, in a clone, pip install -e '.[train]'"
        ) from error


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        print(f"noisewatch {__version__}", flush=True)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it.")] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        from . import __version__

        print(WELCOME.format(version=__version__))


@app.command()
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the inputs: index, name, channels, native rate, and which is the default."""
    from .microphone import list_devices

    found = list_devices()
    if as_json:
        for device in found:
            print(json.dumps(asdict(device)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("index", "name", "system", "channels", "rate (Hz)", "default", box=None, header_style="bold")
    for d in found:
        mark = "default" if d.default else ""
        table.add_row(str(d.index), d.name, d.api, str(d.channels), str(d.sample_rate), mark)
    Console().print(table, markup=False)


@app.command()
def listen(
    source: Annotated[
        str | None, typer.Argument(help="A recording, - for stdin, or demo. Without it: the microphone.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Microphone: index, or a unique part of its name.")] = None,
    channel: Annotated[int | None, typer.Option(help="Channel, counted from 1.")] = None,
    model: Annotated[str, typer.Option(help="Shipped model or an .onnx file.")] = DEFAULT,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between readings.", show_default="the model's, 0.1")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Noise from this probability on.", show_default="the model's")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after this much audio.")] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="A recording as fast as it goes, not paced as if live.")
    ] = False,
    raw_rate: Annotated[
        int | None, typer.Option(help="stdin is raw s16le mono at this rate (Hz), not WAV.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Readings and events as JSON lines, no meter.")] = False,
) -> None:
    """Watch for noise behind the voice, live."""
    if seconds is not None and not 1 <= seconds < float("inf"):
        raise UsageError(f"--seconds is {seconds}; allowed: 1 or more. The first full window takes 3.")

    def opened() -> tuple[Source, Stream]:
        from .engine import NoiseDetector
        from .sources import open_source

        stream = NoiseDetector(model).stream(hop=hop, threshold=threshold)
        return open_source(source, device=device, channel=channel, raw_rate=raw_rate, paced=not fast), stream

    if as_json:
        _listen_lines(*opened(), seconds, lambda item: print(item.json(), flush=True))
        return
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        _listen_meter(console, opened, seconds, model)
    else:
        _listen_lines(*opened(), seconds, _plain_printer())


def _plain_printer() -> Callable[[Reading | Event], None]:
    """Prints a reading a second, every change of state and every event."""
    from .events import Event
    from .meter import clock, plain_line

    due, before = 0.0, None

    def show(item: Reading | Event) -> None:
        nonlocal due, before
        if isinstance(item, Event):
            what = f"{clock(item.time)}  {item.event.replace('_', ' ')}, since {clock(item.onset)}"
            if item.end is not None and item.duration is not None:
                what += f" until {clock(item.end)}, {item.duration:.1f} s"
            print(what, flush=True)
        elif item.time >= due - 1e-6 or (item.state, item.reason) != before or item.reason == "stalled":
            due, before = item.time + 1, (item.state, item.reason)
            print(plain_line(item), flush=True)

    return show


def _listen_lines(
    source: Source, stream: Stream, seconds: float | None, show: Callable[[Reading | Event], None]
) -> None:
    from .history import History

    history = History(stream.hop_s)

    def handle(item: Reading | Event) -> None:
        history.add(item)
        show(item)

    def summarise() -> None:
        print(history.summary(stream.time, source.drops, stream.skipped), file=sys.stderr)

    try:
        _run(source, stream, seconds, handle)
    except BrokenPipeError:  # `| head -1`: nobody wants to know
        raise
    except BaseException:
        summarise()
        raise
    summarise()
    _judge_session(source, history)


def _listen_meter(
    console: Console, opened: Callable[[], tuple[Source, Stream]], seconds: float | None, model: str
) -> None:
    from .history import History
    from .meter import Meter, live

    meter = Meter(History(0.1), Path(model).stem)
    try:
        with live(meter, console):  # first, so that there is a picture while the rest loads
            source, stream = opened()
            meter.history = History(stream.hop_s)
            meter.stream, meter.source = stream, source
            _run(source, stream, seconds, meter.history.add)
    finally:
        if meter.stream is not None and meter.source is not None:
            summary = meter.history.summary(meter.stream.time, meter.source.drops, meter.stream.skipped)
            console.print(summary, markup=False)
    _judge_session(source, meter.history)


def _run(source: Source, stream: Stream, seconds: float | None, handle: Callable[[Reading | Event], None]) -> None:
    from .engine import listen

    try:
        for item in listen(source, stream, seconds=seconds):
            handle(item)
    except (KeyboardInterrupt, SystemExit):
        for event in stream.detector.finish(stream.time):
            handle(event)
        raise


def _judge_session(source: Source, history: History) -> None:
    """An input of which nothing could be judged is a failure, and its exit code says so."""
    if history.last is None or history.unknown < history.readings:
        return
    from .events import REASONS

    why = REASONS.get(history.last.reason or "", "")
    if source.live:
        raise DeviceError(f"nothing of {source.name} could be judged. {why} Other inputs: noisewatch devices")
    raise InputError(f"nothing of {source.name} could be judged. {why} Give a recording with sound in it.")


@app.command()
def prepare(
    speech: Annotated[list[Path] | None, typer.Option(help="Folder of voices; repeat for more.")] = None,
    noise: Annotated[list[Path] | None, typer.Option(help="Folder of noises; repeat for more.")] = None,
    rir: Annotated[list[Path] | None, typer.Option(help="Folder of room impulse responses.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for manifest.csv.")] = Path("data"),
    demo: Annotated[bool, typer.Option("--demo", help="Generate a small set, to try the rest at once.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the generated set.")] = 0,
) -> None:
    """Make a manifest of recordings to train on: csv, split by speaker and by noise recording."""
    module = _training("prepare")
    if demo:
        if speech or noise or rir:
            raise UsageError("--demo generates its own recordings: give it, or folders, not both.")
        module.generate(out, seed=seed)
    elif not speech or not noise:
        raise UsageError("prepare needs --speech DIR and --noise DIR, or --demo.")
    else:
        module.prepare({"speech": speech, "noise": noise, "rir": rir or []}, out, seed=seed)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Folder with manifest.csv, or a csv.")] = Path("data"),
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the run.", show_default="runs/DATE")
    ] = None,
    net: Annotated[str | None, typer.Option(help="Which network.", show_default=DEFAULT)] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="TOML with these options.", show_default="the network's own")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Each ends with a validation.", show_default="the recipe's")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Windows drawn per epoch.", show_default="16000")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Windows per step.", show_default="64")] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate.", show_default="the recipe's")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Replays a run.", show_default="0")] = None,
    precision: Annotated[str | None, typer.Option(help="32, bf16 or 16.", show_default="32")] = None,
    patience: Annotated[
        int | None, typer.Option(min=0, help="Stop after so many epochs without gain.", show_default="never")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that draw windows.", show_default="2")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="GPUs or processes that share a batch.", show_default="1")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
) -> None:
    """Train a network on recordings of your own."""
    module, checkpoint = _training("train"), _training("checkpoint")
    if out is None:
        out = checkpoint.newest_run("last.pt") if resume else checkpoint.new_run()
    given = {"net": net, "epochs": epochs, "windows": windows, "batch": batch, "lr": lr, "precision": precision,
             "patience": patience, "seed": seed, "workers": workers}  # fmt: skip
    options = {key: value for key, value in given.items() if value is not None}
    best = module.train(data, out, options, recipe=recipe, resume=resume, devices=devices)
    if best is not None:
        print(best)
        print(f"next: noisewatch export-onnx {out}", file=sys.stderr)


@app.command("export-onnx")
def export_onnx(
    run: Annotated[
        Path | None, typer.Argument(help="A run's folder or a checkpoint.", show_default="the newest")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file.", show_default="RUN/NET.onnx")] = None,
    threshold: Annotated[float, typer.Option(help="Noise from this probability on, chosen on validation.")] = 0.5,
    licence: Annotated[str, typer.Option(help="Of the weights, for the card.")] = "",
) -> None:
    """Write a trained network as one ONNX file, once ONNX Runtime and torch agree on it."""
    print(_training("export").export(run, out, threshold=threshold, licence=licence))


@app.command()
def evaluate(
    data: Annotated[
        Path | None, typer.Argument(help="Folder with manifest.csv, or a csv.", show_default="data")
    ] = None,
    windows: Annotated[
        list[Path] | None, typer.Option(help="Instead: npz with x (n, 48000), y, snr; repeat for more.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Shipped model, .onnx, run or checkpoint; repeat for more.")
    ] = None,
    split: Annotated[str, typer.Option(help="Of the manifest: val to choose, test to report.")] = "test",
    count: Annotated[int, typer.Option(min=10, help="Clean windows; half as many at each SNR.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Of the windows.")] = 7,
    peers: Annotated[bool, typer.Option("--peers", help="Other estimators beside, where installed.")] = False,
    dnsmos: Annotated[Path | None, typer.Option(help="sig_bak_ovr.onnx of DNSMOS, for --peers.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write NAME.json and NAME.md.", show_default="stdout")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Score models, and a level statistic beside them, on voices and noises kept apart."""
    module, report = _training("evaluate"), _training("report")
    if windows and (data is not None or out is not None):
        raise UsageError("evaluate takes a manifest (and -o), or --windows, not both.")
    if dnsmos is not None and not peers:
        raise UsageError("--dnsmos is for --peers: give both.")
    if out is not None:
        report.places(out)  # before minutes of work
    scorers = [module.model_scorer(name) for name in dict.fromkeys(model or [DEFAULT])] + [module.by_hand()]
    if peers:
        beside, missing = _training("peers").peers(dnsmos)
        scorers += beside
        for sentence in missing:
            print(f"noisewatch: {sentence}", file=sys.stderr)
    if windows:
        for result in module.evaluate(windows, scorers):
            print(json.dumps(result) if as_json else module.table(result), flush=True)
        return
    result = report.report_on(data or Path("data"), split, scorers, count=count, seed=seed)
    if out is not None:
        print(*report.write(result, out), sep="\n")
    else:
        print(json.dumps(result) if as_json else report.markdown(result))


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the networks: size, cost of a window on this machine, and how well the shipped ones do."""
    from .networks import shipped

    found = shipped()
    with suppress(UsageError):  # without the training extra, what is shipped is what there is
        known = {network.name for network in found}
        found += [network for network in _training("size").trainable() if network.name not in known]
    if as_json:
        for network in found:
            print(json.dumps(asdict(network)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", box=None, header_style="bold")
    for column in ("parameters", "MACs", "KiB", "ms", "AUC 0-20 dB", "AUC live"):
        table.add_column(column, justify="right")
    table.add_column("")
    for n in found:
        cells = [
            n.name,
            "-" if n.parameters is None else f"{n.parameters:,}",
            "-" if n.macs is None else f"{n.macs / 1e6:.1f} M",
            *(
                "-" if v is None else f"{v:{f}}"
                for v, f in ((n.kib, ".0f"), (n.ms, ".2f"), (n.auc, ".3f"), (n.live, ".3f"))
            ),
            "default" if n.default else "shipped" if n.shipped else "to train",
        ]
        table.add_row(*cells)
    Console().print(table, markup=False)
