"""`evaluate`: scores of models and baselines."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.shipped import DEFAULT
from .app import command, training
from .arguments import refuse_beside, refuse_without
from .help import DETECTION, INPUT, OUTPUT
from .stderr import notify

Data = Annotated[
    Path | None,
    typer.Argument(help="Folder with manifest.csv, or a CSV file.", show_default="data", rich_help_panel=INPUT),
]
Windows = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="NPZ",
        help="Instead of DATA: fixed windows, as arrays x (n, 48000), y, snr and situation (repeatable).",
        rich_help_panel=INPUT,
    ),
]
Split = Annotated[
    str, typer.Option(metavar="NAME", help="Split of DATA: val to choose, test to report.", rich_help_panel=INPUT)
]
Count = Annotated[
    int,
    typer.Option(
        min=10,
        metavar="N",
        help="Windows of clean speech from DATA; half as many at each SNR. Fewer windows, fewer noisy streams.",
        rich_help_panel=INPUT,
    ),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Random seed of the windows.", rich_help_panel=INPUT)]
ModelNames = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="Shipped model, .onnx file, run or checkpoint (repeatable).",
        show_default=DEFAULT,
        rich_help_panel=DETECTION,
    ),
]
Baselines = Annotated[
    bool, typer.Option("--baselines", help="Score the installed baselines, too.", rich_help_panel=DETECTION)
]
Dnsmos = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="DNSMOS's sig_bak_ovr.onnx, for --baselines.", rich_help_panel=DETECTION),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="NAME",
        help="Write NAME.json and NAME.md.",
        show_default="print Markdown",
        rich_help_panel=OUTPUT,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)]


@command(
    "noisewatch evaluate data                                # the test split",
    "noisewatch evaluate data -m duo -m runs/mine --split val",
    "noisewatch evaluate --windows mix.npz --windows live.npz --baselines",
    "noisewatch evaluate data -m mine.onnx -o reports/mine   # .json and .md",
)
def evaluate(
    ctx: typer.Context,
    data: Data = None,
    windows: Windows = None,
    split: Split = "test",
    count: Count = 600,
    seed: Seed = 7,
    model: ModelNames = None,
    baselines: Baselines = False,
    dnsmos: Dnsmos = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Score models and baselines on labelled data.

    The strongest level statistic is always scored, too: a network should beat a simple rule.
    """
    from ..evaluation import api, markdown
    from ..evaluation.report_files import report_paths, write_report
    from ..evaluation.windows import as_text

    if windows:
        refuse_beside(ctx, "windows", "data", "split", "count", "seed")
    if not baselines:
        refuse_without(ctx, "--baselines", "dnsmos")
    if out is not None:
        refuse_beside(ctx, "out", "as_json")  # both formats are written
        report_paths(out)  # fails before minutes of work, not after
    with exported(model or [DEFAULT]) as models:
        if windows:
            scores = []
            for each in api.evaluate(
                windows=windows, models=models, baselines=baselines, dnsmos=dnsmos, on_skip=notify
            ):
                scores.append(each)
                if out is None:
                    print(json.dumps(each.json()) if as_json else as_text(each), flush=True)
            result: Any = [s.json() for s in scores]
            tables = markdown.of_windows(scores)
        else:
            report = api.evaluate(
                data=data or Path("data"), split=split, count=count, seed=seed, progress=True,
                models=models, baselines=baselines, dnsmos=dnsmos, on_skip=notify,
            )  # fmt: skip
            result, tables = report.json(), markdown.of_report(report)
            if out is None:
                print(json.dumps(result) if as_json else tables)
    if out is not None:
        print(*write_report(result, tables, out), sep="\n")


@contextmanager
def exported(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Files of models by the names that the user gave. Exports runs and checkpoints first, which needs torch."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for number, name in enumerate(names):
            path = Path(name)
            if os.path.isdir(path) or path.suffix == ".pt":  # noqa: PTH112 - Path.is_dir raises for a closed folder
                out = Path(folder) / f"{number}.onnx"
                files[name] = str(training("export").export(path, out))
            else:
                files[name] = name
        yield files
