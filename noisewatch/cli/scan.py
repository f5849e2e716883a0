"""`scan`: whole recordings, the noisiest first."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..core.shipped import DEFAULT
from ..errors import UsageError
from ..recordings.scan_config import HOP_S, Channels, Format, ScanConfig
from ..system.paths import expand_home
from .app import answer_no, command
from .arguments import refuse_beside, refuse_without
from .help import ACTIONS, DETECTION, INPUT, OUTPUT
from .options import Model, RecordingChannel, Threshold
from .stderr import notify


class Engine(StrEnum):
    """Where recordings are judged."""

    local = "local"
    ray = "ray"


# Unlike those of `listen`, these options are not read from the environment or the configuration file.
Paths = Annotated[
    list[str],
    typer.Argument(help="Recordings, folders (searched recursively) or quoted patterns.", rich_help_panel=INPUT),
]
Hop = Annotated[
    float, typer.Option(metavar="S", help="Time between readings, in seconds.", rich_help_panel=DETECTION)
]
ChannelsName = Annotated[
    Channels,
    typer.Option(
        "--channels",
        metavar="HOW",
        help="Of several channels, judge the mean, or each by itself: mean, apart.",
        rich_help_panel=INPUT,
    ),
]
FormatName = Annotated[
    Format,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"Format of the results: {', '.join(Format)}. The last three write a label file per recording.",
        rich_help_panel=OUTPUT,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="DIR",
        help="Folder for the results. Without it, label files are written next to the recordings.",
        rich_help_panel=OUTPUT,
    ),
]
MaxNoisy = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Exit with 3 if any recording is noisy for more than this share of its time, 0 to 1.",
        rich_help_panel=OUTPUT,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Exit with 6 if any recording cannot be judged to its end.", rich_help_panel=OUTPUT
    ),
]
Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, metavar="N", help="Number of processes.", rich_help_panel=ACTIONS)
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Skip recordings that an earlier run with --resume or -o judged.", rich_help_panel=ACTIONS
    ),
]
EngineName = Annotated[
    Engine, typer.Option(metavar="NAME", help="local, or ray: a running Ray cluster.", rich_help_panel=ACTIONS)
]
Address = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Address of the Ray cluster.", rich_help_panel=ACTIONS)
]


@command(
    "noisewatch scan meetings/",
    "noisewatch scan meetings/ -o results -j 4 --resume",
    "noisewatch scan calls/ --channels apart          each side of a call by itself",
    "noisewatch scan 'takes/*.wav' --format csv > takes.csv",
    "noisewatch scan take.wav --max-noisy 0.1 || echo noisy",
)
def scan(
    ctx: typer.Context,
    paths: Paths,
    channel: RecordingChannel = None,
    channels: ChannelsName = Channels.mean,
    model: Model = DEFAULT,
    threshold: Threshold = None,
    hop: Hop = HOP_S,
    form: FormatName = Format.table,
    out: Out = None,
    max_noisy: MaxNoisy = None,
    strict: Strict = False,
    jobs: Jobs = 1,
    resume: Resume = False,
    engine: EngineName = Engine.local,
    address: Address = "auto",
) -> None:
    """Judge whole recordings and list the noisiest first."""
    from ..recordings import verdict
    from ..recordings.batch import Batch
    from ..recordings.engine import engine_for
    from ..recordings.find import find
    from ..recordings.judge import Judge
    from ..recordings.results import Results

    if max_noisy is not None and not 0 <= max_noisy <= 1:
        raise UsageError(f"--max-noisy is {max_noisy}; allowed: 0 to 1, a share of the time.")
    if engine is Engine.ray:
        refuse_beside(ctx, "engine", "jobs")  # a Ray cluster uses the cores that it has
    else:
        refuse_without(ctx, "--engine ray", "address")
    out = None if out is None else expand_home(out)
    if channels is Channels.apart:
        refuse_beside(ctx, "channels", "channel")
    judge = Judge(ScanConfig(model, hop, threshold, channel, channels))
    found = find(paths)
    results = Results(form, out, found, notify)
    batch = Batch(found, judge, results, out=out, resume=resume, notify=notify)
    reports = batch.run(engine_for(judge, jobs=jobs, ray_address=address if engine is Engine.ray else None))
    results.check_written()
    if max_noisy is not None and (sentence := verdict.too_noisy(reports, max_noisy)):
        answer_no(sentence)
    verdict.check_judged(reports, strict=strict)
