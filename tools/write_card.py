"""Writes a model's card: what it is, how well it does on given windows, what it was trained on, its limits.

    python tools/write_card.py card models/mhatt.onnx --windows mix.npz --windows live.npz -o models/mhatt.md
    python tools/write_card.py credits models/mhatt.onnx CREDITS.md -o models/CREDITS.md

The second repeats the rows about the model's sources (first column) of the tables in a Markdown file, as CC BY
asks. Needs the training extra.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy
import onnxruntime
import typer

from noisewatch.core.model import Model
from noisewatch.corpus.overrides import changed, scene_config
from noisewatch.evaluation.markdown import of_windows
from noisewatch.evaluation.scorers import by_hand, model_scorers
from noisewatch.evaluation.windows import score_windows
from noisewatch.system.files import atomic_write
from noisewatch.training.config import configured

LIMITS = """\
- It judges 3 s at a time. Noise that sounds for less than 0.3 s of them is not scored, and short sparse sounds
  (single clicks, knocks) are missed more often than steady noise.
- Between 20 and 40 dB of SNR nobody is wrong: the probability climbs through that range, the state flips in it.
- A recording with a floor less than 40 dB under the voice (an old laptop, a phone across the room) reads noisy,
  and that is meant: the floor would be heard.
- Of sustained sounds, chords of steady tones in the pitch range of voices are told least surely.
- A single far voice behind a near one is noise; a single voice alone never is.
- A room where nobody speaks is judged against the voice heard last. Before any voice was heard, -26 dBFS is
  assumed, and a microphone whose gain is far from ordinary makes that guess wrong.
- The figures above are from mixtures. Few minutes of clean test speech stand behind them: the interval of the
  false alarms per hour in the report is as wide as they make it.
"""


SHIPPED_KIB = 2048  # larger networks are made by their recipe
OPTIONS = ("epochs", "windows", "batch", "lr", "seed", "precision")  # of `train`, that a recipe holds as well


app = typer.Typer(add_completion=False)


@app.command()
def card(
    model: Path,
    windows: Annotated[list[Path], typer.Option()],
    out: Annotated[Path, typer.Option("-o", "--out")],
    made_of: Annotated[str, typer.Option(help="What the windows were made of.")] = "",
    note: Annotated[str, typer.Option(help="What was learned about it.")] = "",
) -> None:
    """Evaluate and write."""
    card = Model(model).card
    results = list(score_windows(windows, [by_hand(), *model_scorers({str(model): str(model)})]))
    made = card.training
    report = out.with_name(f"{model.stem}-report.md")
    size = model.stat().st_size / 1024
    metrics = ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in card.metrics.items())
    lines = [
        f"# {card.name}",
        "",
        f"Made by noisewatch {card.version} on {card.created} by `{command_of(made)}`, best",
        f"of {made.get('epochs')} epochs, step {made.get('steps')} with {made.get('batch')} windows each "
        f"(seed {made.get('seed')}). {size:.0f} KiB, {card.parameters:,} parameters,",
        f"{card.macs / 1e6:.1f} M multiply-accumulates a window. Licence of the weights: "
        f"{card.licence or 'none given'}. Every source allows to",
        f"ship weights trained on it: {'yes' if card.shippable else 'no'}.",
        "",
        *([unshipped(made, size), ""] if size > SHIPPED_KIB else []),
        *([distilled_from(made), ""] if made.get("teachers") else []),
        *([initialised_from(made), ""] if made.get("init_from") else []),
        *([scenes(made), ""] if made.get("scene") else []),
        f"Inputs: log-Mel window (1, {card.frames}, {card.frontend.n_mels}) and the reference level in dBFS.",
        "Outputs: noise logit, SNR in dB, voice logit.",
        f"Noise from a probability of {card.threshold} on.",
        "",
        f"On the validation windows of its run: {metrics}.",
        "",
        "## Numbers",
        "",
        "ROC-AUC of clean windows against noisy ones, on voices and noises that it never met and that nothing was",
        "chosen on, through the engine that listens to microphones. Beside it the strongest level statistic.",
        *([made_of] if made_of else []),
        "",
    ]
    lines += [*of_windows(results).splitlines(), ""]
    command = " ".join(["noisewatch evaluate", *(f"--windows {w.name}" for w in windows), f"--model {model.name}"])
    versions = (
        f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, numpy {numpy.__version__}"
    )
    lines += [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}; {versions}, {platform.machine()}.",
        "",
        *([reported(report, model), ""] if report.is_file() else []),
        *(["## What it needs", "", note, ""] if note else []),
        "## Limits",
        "",
        LIMITS,
        "## Trained on",
        "",
        "Credits: [CREDITS.md](CREDITS.md).",
        "",
        "| kind | source | minutes | licence |",
        "| --- | --- | --- | --- |",
        *(f"| {s['kind']} | {s['source']} | {s['minutes']} | {s['licence']} |" for s in card.trained_on),
        "",
    ]
    with atomic_write(out) as written:
        written.write("\n".join(lines).rstrip() + "\n")


@app.command()
def credits(model: Path, tables: Path, out: Annotated[Path, typer.Option("-o", "--out")]) -> None:
    """Repeat what is known of the sources that a model learned from."""
    rows = credited(tables.read_text(), {s["source"] for s in Model(model).card.trained_on})
    head = [
        "# Credits",
        "",
        "Recordings that the shipped networks learned from. None of them is in this repository.",
        "",
    ]
    with atomic_write(out) as written:
        written.write("\n".join([*head, *rows]) + "\n")


def command_of(made: dict[str, Any]) -> str:
    """What trained it: the recipe of its network, and the options that were given over it.

    Recipes are called -taught with teachers, -joined of two runs, -further from one.
    """
    net, begun = made["net"], len(made.get("init_from", []))
    how = "joined" if begun > 1 else "further" if begun else "taught" if made.get("teachers") else None
    recipe = Path(f"training/recipes/{net}-{how}.toml")
    own = (Path(__file__).parent.parent / recipe).is_file()
    config = configured({"net": net}, Path(__file__).parent.parent / recipe if own else None)
    over = [
        f"--{key} {made[key]}" for key in OPTIONS if made.get(key, getattr(config, key)) != getattr(config, key)
    ]
    return " ".join(
        [
            "noisewatch train DATA",
            f"--recipe {recipe}" if own else f"--net {net}",
            *over,
            *["--init-from RUN"] * begun,
        ]
    )


def reported(report: Path, model: Path) -> str:
    """Where the report is, and what makes it."""
    command = f"noisewatch evaluate DATA --model {model.name} -o {report.stem}"
    return f"More, with intervals: [{report.name}]({report.name}), by `{command}`."


def distilled_from(made: dict[str, Any]) -> str:
    """The teachers of a distilled network."""
    return (
        f"Distilled from {', '.join(made['teachers'])} (name and digest of the file), with a weight of "
        f"{made['distill_weight']:.0%} against the labels.\nA name in the recipe means the model that ships today: "
        "for the same teachers, give files of these digests with `--teacher`."
    )


def initialised_from(made: dict[str, Any]) -> str:
    """The runs that gave the initial weights."""
    runs = "\n".join(f"- {run}" for run in made["init_from"])
    return f"Initialised from these runs (network and digest of the checkpoint):\n\n{runs}"


def scenes(made: dict[str, Any]) -> str:
    """The training distribution, where it differs from the defaults."""
    values = changed(scene_config(made["scene"]))
    if not values:
        return "Scenes were drawn from the default ranges (`noisewatch/corpus/config.py`)."
    return "Scenes were drawn from the default ranges, but for these:\n\n" + "\n".join(
        f"- `scene.{name}` = {value}" for name, value in values.items()
    )


def unshipped(made: dict[str, Any], size: float) -> str:
    """How to come by a network that is too large for the package."""
    return (
        f"At {size / 1024:.0f} MB it does not ship with noisewatch. Its recipe makes it again: `"
        f"{command_of(made)} -o RUN`\n({made.get('windows')} windows an epoch, precision "
        f"{made.get('precision', '32')}), then `noisewatch export-onnx RUN`."
    )


def credited(text: str, sources: set[str]) -> list[str]:
    """Rows of the tables in a Markdown text whose first cell is one of the sources: name, origin, evidence."""
    rows = []
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] in sources:
            rows.append(f"- **{cells[0]}**: {'; '.join(c for c in cells[1:] if c)}")
    return rows


if __name__ == "__main__":
    app()
