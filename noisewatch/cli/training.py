"""`prepare`, `train`, `export-onnx`, `evaluate` and `models`: everything about networks."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, printable
from ..model import DEFAULT
from .base import app, refuse_beside, refuse_without, say, tell, training


@app.command()
def prepare(
    ctx: typer.Context,
    speech: Annotated[list[Path] | None, typer.Option(help="Folder of voices; repeat for more.")] = None,
    noise: Annotated[list[Path] | None, typer.Option(help="Folder of noises; repeat for more.")] = None,
    rir: Annotated[list[Path] | None, typer.Option(help="Folder of room impulse responses.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for manifest.csv.")] = Path("data"),
    demo: Annotated[bool, typer.Option("--demo", help="Generate a small set, to try the rest at once.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the generated set.")] = 0,
) -> None:
    """Make a manifest of recordings to train on: csv, split by speaker and by noise recording."""
    module = training("prepare")
    if demo:
        refuse_beside(ctx, "demo", "speech", "noise", "rir")
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
    teach: Annotated[
        list[str] | None, typer.Option(help="Model whose verdicts it learns beside the labels; repeat for more.")
    ] = None,
    begin: Annotated[
        list[str] | None,
        typer.Option(
            help="Run whose weights it begins with; mhatt and tcn also with a duo, it also with one of each."
        ),
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="GPUs or processes that share a batch.", show_default="1")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder to keep drawn windows in, for more runs (25 kB each).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped, if there is one.")] = False,
) -> None:
    """Train a network on recordings of your own."""
    module, checkpoint = training("train"), training("checkpoint")
    if out is None:
        out = checkpoint.newest_run("last.pt") if resume else checkpoint.new_run()
    given = {"net": net, "epochs": epochs, "windows": windows, "batch": batch, "lr": lr, "precision": precision,
             "patience": patience, "seed": seed,
             "workers": workers, "teachers": tuple(teach) if teach else None,
             "begin": tuple(begin) if begin else None}  # fmt: skip
    options = {key: value for key, value in given.items() if value is not None}
    best = module.train(data, out, options, recipe=recipe, resume=resume, devices=devices, cache=cache)
    if best is not None:
        print(best)
        tell(f"next: noisewatch export-onnx {printable(str(out))}")


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
    print(training("export").export(run, out, threshold=threshold, licence=licence))


@app.command()
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
    peers: Annotated[bool, typer.Option("--peers", help="Other estimators beside, where installed.")] = False,
    dnsmos: Annotated[Path | None, typer.Option(help="sig_bak_ovr.onnx of DNSMOS, for --peers.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write NAME.json and NAME.md.", show_default="stdout")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Score models, and a level statistic beside them, on voices and noises kept apart."""
    module, report = training("evaluate"), training("report")
    if windows:
        refuse_beside(ctx, "windows", "data", "split", "count", "seed")
    if not peers:
        refuse_without(ctx, "--peers", "dnsmos")
    if out is not None:
        refuse_beside(ctx, "out", "as_json")  # both formats are written
    if out is not None:
        report.places(out)  # before minutes of work
    scorers = [*module.model_scorers(model or [DEFAULT]), module.by_hand()]
    if peers:
        beside, missing = training("peers").peers(dnsmos)
        scorers += beside
        for sentence in missing:
            say(sentence)
    if windows:
        results = []
        for result in module.evaluate(windows, scorers):
            results.append(result)
            if out is None:
                print(json.dumps(result) if as_json else module.table(result), flush=True)
        if out is not None:
            print(*report.write(results, module.markdown(results), out), sep="\n")
        return
    result = report.report_on(data or Path("data"), split, scorers, count=count, seed=seed)
    if out is not None:
        print(*report.write(result, report.markdown(result), out), sep="\n")
    else:
        print(json.dumps(result) if as_json else report.markdown(result))


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the networks: size, cost of a window on this machine, and AUC in their reports, not on fixed windows."""
    from ..networks import shipped

    found = shipped()
    with suppress(UsageError):  # without the training extra, what is shipped is what there is
        known = {network.name for network in found}
        found += [network for network in training("size").trainable() if network.name not in known]
    if as_json:
        for network in found:
            print(json.dumps(asdict(network)))
        return
    from rich.table import Table

    from .. import terminal

    table = Table("name", box=None, header_style="bold")
    for column in ("parameters", "MACs", "KiB", "ms", "AUC 0-20 dB (report)", "AUC live (report)"):
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
    terminal.console().print(table, markup=False)
