"""Writes a model's card: what it is, how well it performs on fixed windows, how it was trained.

    python tools/write_card.py stamp models/mhatt.onnx models/reports/mhatt.json
    python tools/write_card.py card models/mhatt.onnx --windows mix.npz --windows live.npz -o models/mhatt.md

`stamp` writes two figures from a report to the card inside the ONNX file, where `noisewatch models` reads them.
`card` writes the Markdown card. It preserves the training notes of an existing card and, without --windows, its
figures. Both need the training extra.
"""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy
import onnx
import onnxruntime
import typer

from noisewatch.core.card import METADATA_KEY, Card
from noisewatch.core.model import Model
from noisewatch.corpus.overrides import changed, scene_config
from noisewatch.evaluation.markdown import of_windows
from noisewatch.evaluation.scorers import level_statistic, model_scorers
from noisewatch.evaluation.windows import score_windows
from noisewatch.system.files import atomic_write
from noisewatch.training.config import TrainConfig, configured

OPTIONS = ("epochs", "windows", "batch", "lr", "seed", "precision")  # of `train`, which a recipe can set too
NUMBERS, NOTES = "Numbers", "Training notes"  # sections of a card
ORIGINS = ("teachers", "init_from")  # a card has their digests, a recipe their names
RECIPES = Path(__file__).parent.parent / "training" / "recipes"

app = typer.Typer(add_completion=False)


@app.command()
def stamp(
    model: Annotated[Path, typer.Argument(help="The ONNX file, rewritten in place.")],
    report: Annotated[Path, typer.Argument(help="JSON of `noisewatch evaluate DATA --model MODEL -o NAME`.")],
) -> None:
    """Write the AUCs of a report to the card inside the ONNX file. The graph and its weights do not change."""
    figures = json.loads(report.read_text())["scorers"][model.stem]
    metrics = {"auc_0_20_db": figures["auc"]["0-20 dB"][0], "auc_live": figures["live"]["all"][0]}
    card = replace(Model(model).card, test_metrics=metrics)
    stored = onnx.load(model)
    onnx.helper.set_model_props(stored, {METADATA_KEY: card.to_json()})
    with atomic_write(model, "wb") as written:
        written.write(stored.SerializeToString())


@app.command()
def card(
    model: Annotated[Path, typer.Argument(help="The ONNX file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The card, such as models/NAME.md.")],
    windows: Annotated[
        list[Path] | None,
        typer.Option(help="npz file to evaluate on (repeatable).", show_default="preserve the figures"),
    ] = None,
    made_of: Annotated[str, typer.Option(help="Origin of the windows' recordings.")] = "",
) -> None:
    """Write the Markdown card of a model."""
    known = sections(out.read_text()) if out.is_file() else {}
    numbers = measured(model, windows, made_of) if windows else known.get(NUMBERS, "Not measured yet.")
    notes = known.get(NOTES)
    file = Model(model)
    parts = [head(file.card, model.stat().st_size / 1024, file.has_width), f"## {NUMBERS}\n\n{numbers}"]
    parts += [f"## {NOTES}\n\n{notes}"] if notes else []
    with atomic_write(out) as written:
        written.write("\n\n".join([*parts, TAIL]) + "\n")


TAIL = """\
## Limits, sources and licence

Limits of all networks here: [README.md](README.md#limits). Training data, and why the weights may ship:
[CREDITS.md](CREDITS.md)."""


def sections(text: str) -> dict[str, str]:
    """The sections of a Markdown text by their `##` headings."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def head(card: Card, kib: float, has_width: bool) -> str:
    """What a model is and how it was trained, from the card inside the ONNX file."""
    made = card.training
    metrics = ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in card.metrics.items())
    about = [
        f"Trained with noisewatch {card.version} on {card.created} by `{command_of(made)}`:\nbest of "
        f"{made['epochs']} epochs, step {made['steps']}, {made['batch']} windows per step, seed {made['seed']}.",
        f"{kib:.0f} KiB, {card.parameters:,} parameters, {card.macs / 1e6:.1f} M multiply-accumulates a decision. "
        f"Licence of the weights: {card.licence or 'none given'}.\n"
        f"All training sources allow the weights to ship: {'yes' if card.shippable else 'no'}.",
        *([distilled_from(made)] if made.get("teachers") else []),
        *([initialised_from(made)] if made.get("init_from") else []),
        *([scenes(made)] if made.get("scene") else []),
        interface(card, has_width) + f"\nThreshold: noisy at a probability of {card.threshold} or above.",
        f"On the validation windows of its training run: {metrics}.",
    ]
    return "\n\n".join([f"# {card.name}", *about])


def interface(card: Card, has_width: bool) -> str:
    """Inputs and outputs of a model file."""
    mels = card.frontend.n_mels
    if card.step:
        return (
            f"Inputs: log-Mel frames (streams, a multiple of {card.step}, {mels}), references in dBFS, state.\n"
            "Outputs for each step of each stream: noise logit, SNR in dB, voice logit, width of the SNR in dB,\n"
            "logit of noise in the last 0.5 s, level of the voice in dBFS, logits of the kinds; and the new state."
        )
    return (
        f"Inputs: log-Mel window (1, {card.frames}, {mels}) and the reference level in dBFS.\n"
        f"Outputs: noise logit, SNR in dB, voice logit{', width of the SNR in dB' if has_width else ''}."
    )


def measured(model: Path, windows: list[Path], made_of: str) -> str:
    """Figures on fixed windows, and the command that computes them."""
    results = list(score_windows(windows, [level_statistic(), *model_scorers({str(model): str(model)})]))
    command = " ".join(["noisewatch evaluate", *(f"--windows {w.name}" for w in windows), f"--model {model.name}"])
    report = f"reports/{model.stem}"
    again = f"noisewatch evaluate DATA --model {model.name} -o {report}"
    parts = [
        "ROC-AUC of clean against noisy windows. Their voices and noises were used neither for training nor for\n"
        "any choice. Scored through the engine for live input; the strongest level statistic is for comparison.",
        *([made_of] if made_of else []),
        of_windows(results).strip(),
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}; Python {platform.python_version()}, onnxruntime "
        f"{onnxruntime.__version__}, numpy {numpy.__version__}, {platform.machine()}.",
        f"Figures with 95 % intervals: [{report}.md]({report}.md), from `{again}`.",
    ]
    return "\n\n".join(parts)


def command_of(made: dict[str, Any]) -> str:
    """The `train` command of a run: the recipe that is closest to its options, and the options that override it."""
    net = made["net"]
    recipes = {path: configured({}, path) for path in sorted(RECIPES.glob(f"{net}*.toml"))}
    path, config = min(recipes.items(), key=lambda item: len(differing(made, item[1])))
    over = [f"--{key} {made[key]}" for key in differing(made, config) if key in OPTIONS]
    which = f"--net {net}" if path.stem == net else f"--recipe training/recipes/{path.name}"
    return " ".join(["noisewatch train DATA", which, *over])


def differing(made: dict[str, Any], config: TrainConfig) -> list[str]:
    """The fields in which a run differs from a configuration; of its teachers and initial weights, only whether."""
    stated = {key: value for key, value in asdict(config).items() if key not in ("workers", "scene")}

    def value(options: dict[str, Any], key: str) -> Any:
        return bool(options[key]) if key in ORIGINS else options[key]

    return [key for key in stated if value({**stated, **made}, key) != value(stated, key)]


def distilled_from(made: dict[str, Any]) -> str:
    """The teachers of a distilled network."""
    return (
        f"Distilled from {', '.join(made['teachers'])} (name and digest of the file), with a weight of "
        f"{made['distill_weight']:.0%} against the labels.\nNames in the recipe refer to the models that ship now. "
        "To use the same teachers, pass files with these digests to `--teacher`."
    )


def initialised_from(made: dict[str, Any]) -> str:
    """The runs that gave the initial weights."""
    runs = "\n".join(f"- {run}" for run in made["init_from"])
    return f"Initialised from these runs (network and digest of the checkpoint):\n\n{runs}"


def scenes(made: dict[str, Any]) -> str:
    """The ranges of the training distribution that differ from the defaults."""
    values = changed(scene_config(made["scene"]))
    if not values:
        return "Scenes were drawn from the default ranges (`noisewatch/corpus/config.py`)."
    return "Scenes were drawn from the default ranges, except for these:\n\n" + "\n".join(
        f"- `scene.{name}` = {value}" for name, value in values.items()
    )


if __name__ == "__main__":
    app()
