"""`check`: one line and an exit code, before a recording or in a pipeline."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import ChannelError, InputError, printable
from .app import command
from .arguments import only, typed
from .help import DETECTION, INPUT, OUTPUT
from .options import CalibratedThreshold, Channel, ConfiguredModel, Device, RawRate
from .stderr import notify

if TYPE_CHECKING:
    from ..tasks.check import Answer


@command(
    "noisewatch check                                 the microphone, for 5 s",
    "noisewatch check --seconds 10 --min-snr 20",
    "noisewatch check take*.wav --max-noisy 0.1       recordings, one line each",
    "ffmpeg -v error -i take.m4a -f wav - | noisewatch check -",
)
def check(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Recordings, - for stdin, or demo. Default: the microphone."),
    ] = None,
    device: Device = None,
    channel: Channel = None,
    raw_rate: RawRate = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="How long to listen.", show_default="5; recordings: to the end", rich_help_panel=INPUT
        ),
    ] = None,
    model: ConfiguredModel = DEFAULT,
    threshold: CalibratedThreshold = None,
    max_noisy: Annotated[
        float,
        typer.Option(metavar="P", help="Share of the time that may be noisy, 0 to 1.", rich_help_panel=DETECTION),
    ] = 0.2,
    min_snr: Annotated[
        float | None,
        typer.Option(metavar="DB", help="Minimum SNR in dB while someone speaks.", rich_help_panel=DETECTION),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per source.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Check whether it is quiet enough to record.

    Prints OK (exit code 0), NOISY (3) or UNKNOWN (4 for a microphone, 6 for a recording), and why.
    """
    from ..core.noise_detector import NoiseDetector
    from ..inputs.opening import open_source
    from ..tasks.check import Answer, Limits, check_source
    from ..ui.countdown import counting_down
    from ..ui.wording import WARNINGS, remarks

    if sources:  # the configured device is for microphones
        device = device if typed(ctx, "device") else None
        channel = channel if typed(ctx, "channel") else None
    microphone, number = only(ctx, "device", device), only(ctx, "channel", channel)
    waiting = counting_down("Speak as you will in the recording.")
    limits = Limits(max_noisy, min_snr, seconds)
    detector = NoiseDetector(model)
    words: list[str | None] = [*sources] if sources else [None]
    codes = []
    for word in words:
        try:
            source = open_source(word, device=microphone, channel=number, raw_rate=raw_rate, paced=False)
            ctx.call_on_close(source.close)  # last: a sound server may hang
            found = check_source(source, detector, limits, threshold=threshold, notify=notify, waiting=waiting)
            found = found if word in (None, "-") else replace(found, source=word)
        except (InputError, ChannelError) as error:  # a slow pipe reveals its channels late
            if len(words) == 1:
                raise
            found = Answer(str(word), "unknown", str(error).rstrip("."), "The other recordings are judged.")
        for sentence in remarks(found.source, found.warnings):
            notify(sentence)
        for name in found.warnings:
            if name in WARNINGS:
                whose = f"{printable(found.source)}: " if len(words) > 1 else ""
                notify(f"{whose}{name}: {WARNINGS[name]}")
        print(json.dumps(asdict(found)) if as_json else _line(found, named=len(words) > 1), flush=True)
        codes.append({"ok": 0, "noisy": 3, "unknown": 6 if sources else 4}[found.answer])
    if max(codes):
        raise SystemExit(max(codes))


def _line(found: Answer, *, named: bool) -> str:
    name = f"{printable(found.source)}: " if named else ""
    return f"{name}{found.answer.upper()}: {printable(found.why)}. {found.advice}"
