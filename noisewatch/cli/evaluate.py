"""`evaluate`: scores of models and baselines."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..core.shipped import DEFAULT
from .base import command, refuse_beside, refuse_without, say, training


@command()
def evaluate(
    ctx: typer.Context,
    data: Annotated[
        Path | None, typer.Argument(help="Folder with manifest.csv, or a csv.", show_default="data")
    ] = None,
    windows: Annotated[
        list[Path] | None, typer.Option(help="Instead: npz with x (n, 48000), y, snr, situation; repeat for more.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Shipped model, .onnx, run or checkpoint; repeat for more.")
    ] = None,
    split: Annotated[str, typer.Option(help="Of the manifest: val to choose, test to report.")] = "test",
    count: Annotated[int, typer.Option(min=10, help="Clean windows; half as many at each SNR.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Of the windows.")] = 7,
    baselines: Annotated[bool, typer.Option("--baselines", help="Score the installed baselines as well.")] = False,
    dnsmos: Annotated[Path | None, typer.Option(help="sig_bak_ovr.onnx of DNSMOS, for --baselines.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write NAME.json and NAME.md.", show_default="stdout")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Score models, and a level statistic beside them, on voices and noises kept apart."""
    from ..evaluation import markdown, report
    from ..evaluation.scorers import by_hand, model_scorers
    from ..evaluation.windows import score_windows, table

    if windows:
        refuse_beside(ctx, "windows", "data", "split", "count", "seed")
    if not baselines:
        refuse_without(ctx, "--baselines", "dnsmos")
    if out is not None:
        refuse_beside(ctx, "out", "as_json")  # both formats are written
        report.places(out)  # before minutes of work
    with exported(model or [DEFAULT]) as names:
        scorers = [*model_scorers(names), by_hand()]
    if baselines:
        from ..evaluation.baselines import installed

        others, missing = installed(dnsmos)
        scorers += others
        for sentence in missing:
            say(sentence)
    if windows:
        results = []
        for result in score_windows(windows, scorers):
            results.append(result)
            if out is None:
                print(json.dumps(result) if as_json else table(result), flush=True)
        if out is not None:
            print(*report.write(results, markdown.of_windows(results), out), sep="\n")
        return
    result = report.report_on(data or Path("data"), split, scorers, count=count, seed=seed)
    if out is not None:
        print(*report.write(result, markdown.of_report(result), out), sep="\n")
    else:
        print(json.dumps(result) if as_json else markdown.of_report(result))


@contextmanager
def exported(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Model names by the name to show; runs and checkpoints are exported on the way, which needs torch."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for number, name in enumerate(names):
            path = Path(name)
            if os.path.isdir(path) or path.suffix == ".pt":  # noqa: PTH112 - a closed folder is no folder
                out = Path(folder) / f"{number}.onnx"
                files[name] = str(training("export").export(path, out))
            else:
                files[name] = name
        yield files
