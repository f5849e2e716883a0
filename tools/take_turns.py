"""Leaves sources out in turn: trains a network without each third of the sources, and measures it on that third.

    python tools/take_turns.py DATA -o trials/base --recipe base.toml --cache cache
    python tools/take_turns.py DATA -o trials/more --recipe more.toml --init-from trials/base
    python tools/take_turns.py DATA -o trials/duo --model duo
    python tools/compare_trials.py trials/base trials/more

Whether an idea helps shows on voices and noises that the network has not learned from. Every source takes its turn,
so the pooled figures cover all of them. The test split plays no part.

Interrupted, it goes on where it stopped: each third has its manifest, run, model and report in a folder of its own,
and what is there is not made again. Delete `1/report.json` to evaluate third 1 again. turns.json and turns.md hold
the figures of the thirds so far, the alarms and misses at several thresholds, and the time of each step.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from noisewatch.core.model import Model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import Row, read_manifest, write_manifest
from noisewatch.corpus.thirds import THIRDS, left_out
from noisewatch.errors import InputError, NoisewatchError, OutputError, UsageError
from noisewatch.evaluation.markdown import of_report
from noisewatch.evaluation.report import USUAL_COUNT, report
from noisewatch.evaluation.report_files import write_report
from noisewatch.evaluation.scorers import model_scorer
from noisewatch.evaluation.stream_metrics import on_streams
from noisewatch.evaluation.trials import (
    REPORT,
    SETTINGS,
    STEPS,
    STREAMS,
    is_evaluated,
    of_trial,
    read_json,
    read_trial,
)
from noisewatch.system.files import atomic_write
from noisewatch.system.locks import locked

MANIFEST = "manifest.csv"
THRESHOLDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)  # for a comparison at equal hits


def main(
    data: Annotated[Path, typer.Argument(help="Folder with manifest.csv, or a CSV file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the trial.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe of the network.", show_default="the default's")
    ] = None,
    init_from: Annotated[
        list[Path] | None, typer.Option(help="Trial with the initial weights of each third (a duo: also two).")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Shipped model or .onnx file to measure, without training.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder that stores mixed windows for later trials.")] = None,
    count: Annotated[int, typer.Option(min=10, help="Windows of clean speech per evaluation.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the evaluation.")] = 7,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Threshold of the trained networks.")] = 0.9,
) -> None:
    """Train and evaluate what is missing, and write the tables."""
    try:
        if model and (recipe or init_from or cache):
            raise UsageError("--model is measured as it is: leave out --recipe, --init-from and --cache.")
        rows = read_manifest(data)
        thirds = {third: left_out(rows, third) for third in THIRDS}
        settings = {
            "count": count,
            "seed": seed,
            "init_from": [str(path) for path in init_from or ()],
            **(of_model(model) if model else {"threshold": threshold, "recipe": of_recipe(recipe)}),
        }
        for before in init_from or ():
            check_initial(before, thirds)
        check_folder(out, settings, thirds)
        with locked(out / SETTINGS):
            for third in THIRDS:
                folder = out / str(third)
                if model is None:
                    train(folder, recipe, [before / folder.name / "run" for before in init_from or ()], cache)
                    export(folder, threshold)
                evaluate(folder, model or str(folder / "model.onnx"), count, seed)
                trial = read_trial(out)
                print(*write_report(trial.json(), of_trial(trial), out / "turns"), sep="\n")
    except NoisewatchError as error:
        raise SystemExit(f"take_turns: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def of_model(name: str) -> dict[str, Any]:
    """The settings of a trial that measures a finished model."""
    return {"model": name, "digest": Model(name).digest}


def of_recipe(recipe: Path | None) -> dict[str, Any]:
    """The options of a recipe. Raises UsageError for weights that may have learned from any third."""
    from noisewatch.training.config import configured, read_recipe

    config = configured({}, recipe)
    for name in ("teachers", "init_from"):
        if found := getattr(config, name):
            raise UsageError(
                f"the recipe sets {name} to {', '.join(found)}: a network that has learned from the sources left "
                "out. Remove it; --init-from starts from another trial."
            )
    return read_recipe(recipe.name, recipe.read_text()) if recipe else {}


def check_folder(out: Path, settings: dict[str, Any], thirds: dict[int, list[Row]]) -> None:
    """Write the settings and manifests of a new trial. Raises UsageError if those of the trial there differ."""
    try:
        drafts = {}
        for third, rows in thirds.items():
            path = out / str(third) / MANIFEST
            write_manifest(path.with_suffix(".new"), rows)
            drafts[path] = path.with_suffix(".new")
        made = hashlib.sha256(b"".join(draft.read_bytes() for draft in drafts.values())).hexdigest()[:16]
        settings = {**settings, "manifests": made}
        if (out / SETTINGS).exists():
            before = read_json(out / SETTINGS)
            changed = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
            if changed:
                raise UsageError(
                    f"{out} was started with {', '.join(_differences(before, settings, changed))}. "
                    "Restore that, or name another folder with -o."
                )
        else:
            with atomic_write(out / SETTINGS) as file:
                json.dump(settings, file, indent=1)
        for path, draft in drafts.items():
            if not path.exists():
                draft.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}.") from error
    finally:
        for third in thirds:
            (out / str(third) / MANIFEST).with_suffix(".new").unlink(missing_ok=True)


def _differences(before: dict[str, Any], now: dict[str, Any], names: Sequence[str]) -> Iterator[str]:
    """What a trial was started with, where it differs now."""
    for name in names:
        was, is_now = before.get(name), now.get(name)
        if name == "manifests":
            yield "other recordings"
        elif isinstance(was, dict) and isinstance(is_now, dict):
            changed = [key for key in {**was, **is_now} if was.get(key) != is_now.get(key)]
            yield from (
                f"{key} {was.get(key, 'by default')}, not {is_now.get(key, 'by default')}" for key in changed
            )
        else:
            yield f"{name} {was}"


def check_initial(before: Path, thirds: dict[int, list[Row]]) -> None:
    """Raise InputError if a trial's runs have learned from sources that are left out now."""
    for third, rows in thirds.items():
        folder = before / str(third)
        if not steps_of(folder).get("train", {}).get("finished"):
            raise InputError(f"{folder} holds no finished run. Finish that trial first.")
        learned = {row.source for row in read_manifest(folder / MANIFEST) if row.split == "train"}
        if leaked := sorted({row.source for row in rows if row.split == "val"} & learned):
            raise InputError(
                f"{folder / 'run'} has learned from {', '.join(leaked[:5])}, left out here in third {third}. "
                "Start from a trial on the same sources."
            )


def train(folder: Path, recipe: Path | None, init_from: Sequence[Path], cache: Path | None) -> None:
    """Train the network of a third, or go on with it."""
    run = folder / "run"
    if steps_of(folder).get("train", {}).get("finished") and (run / "best.pt").exists():
        return
    from noisewatch.training.fit import fit

    print(f"{folder}: training", file=sys.stderr)
    begun = (run / "last.pt").exists()
    options = {"init_from": tuple(map(str, init_from))} if init_from and not begun else {}
    with timed(folder, "train") as step:
        try:
            fit(folder / MANIFEST, run, options, recipe=None if begun else recipe, resume=begun, cache=cache)
        finally:
            if speeds := logged_speeds(run):
                step["windows_per_s"] = round(statistics.median(speeds), 1)


def export(folder: Path, threshold: float) -> None:
    """Export the network of a third."""
    out = folder / "model.onnx"
    if not out.exists():
        from noisewatch.training.export import export

        with timed(folder, "export"):
            export(folder / "run", out, threshold=threshold)


def evaluate(folder: Path, model: str, count: int, seed: int) -> None:
    """Measure a model on the sources of a third: windows, and streams at several thresholds."""
    if is_evaluated(folder):
        return
    print(f"{folder}: evaluation", file=sys.stderr)
    with timed(folder, "evaluate"):
        catalogue, skipped = Catalogue.load(read_manifest(folder / MANIFEST), "val")
        for reason in skipped:
            print(f"left out: {reason}", file=sys.stderr)
        scorer = model_scorer(model)
        assert scorer.detector is not None
        own = scorer.detector.model.card.threshold
        on_windows = replace(scorer, name="model", detector=None)
        made = report(catalogue, [on_windows], split="val", count=count, seed=seed, progress=True)
        thresholds = sorted({own, *THRESHOLDS})
        share = count / USUAL_COUNT
        streams = on_streams(scorer.detector, catalogue, seed, thresholds, share=share, progress=True)
        figures = replace(made.scorers["model"], streams=streams[own])
        made = replace(made, left_out=len(skipped), scorers={"model": figures})
        with atomic_write(folder / STREAMS) as file:
            json.dump({"thresholds": [asdict(streams[threshold]) for threshold in thresholds]}, file)
        write_report(made.json(), of_report(made), folder / REPORT)


def steps_of(folder: Path) -> dict[str, Any]:
    """The steps of a third: seconds, and whether each is finished."""
    return read_json(folder / STEPS) if (folder / STEPS).exists() else {}


@contextmanager
def timed(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Store how long a step takes, added up over interruptions, and that it has finished."""
    step: dict[str, Any] = {"seconds": 0.0, "finished": False, **steps_of(folder).get(name, {})}
    earlier, began = step["seconds"], time.monotonic()
    step["finished"] = False
    try:
        yield step
        step["finished"] = True
    finally:
        step["seconds"] = round(earlier + time.monotonic() - began, 1)
        with atomic_write(folder / STEPS) as file:
            json.dump({**steps_of(folder), name: step}, file, indent=1)


def logged_speeds(run: Path) -> list[float]:
    """Windows per second of each epoch of a run."""
    speeds = []
    for log in sorted(run.glob("log/version_*/metrics.csv")):
        with log.open(newline="") as file:
            speeds += [float(row["windows_per_s"]) for row in csv.DictReader(file)]
    return speeds


if __name__ == "__main__":
    typer.run(main)
