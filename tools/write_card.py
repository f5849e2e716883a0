"""Writes a model's card: what it is, how well it does on given windows, what it was trained on, its limits.

    python tools/write_card.py models/bcresnet1.onnx --windows mix.npz --windows live.npz \\
        --credits CREDITS.md -o models/bcresnet1.md

`--credits` names a Markdown file with tables of sources (first column); their rows are repeated in the card, as
CC BY asks. Needs the training extra.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy
import onnxruntime
import typer
from noisewatch.training.evaluate import evaluate

from noisewatch.model import Model
from noisewatch.sinks import atomic_write

LIMITS = """\
- It judges 3 s at a time. Noise that sounds for less than 0.3 s of them is not scored, and short sparse sounds
  (single clicks, knocks) are missed more often than steady noise.
- Between 20 and 40 dB of SNR nobody is wrong: the probability climbs through that range, the state flips in it.
- A recording with a floor less than 40 dB under the voice (an old laptop, a phone across the room) reads noisy,
  and that is meant: the floor would be heard.
- Sustained chords of pure tones behind a voice have been called clean, even when louder than the voice.
- A single far voice behind a near one is noise; a single voice alone never is.
- A room where nobody speaks is judged against the voice heard last. Before any voice was heard, -26 dBFS is
  assumed, and a microphone whose gain is far from ordinary makes that guess wrong.
- The figures above are from mixtures. Few minutes of clean test speech stand behind them; no rate of false
  alarms per hour is claimed.
"""


def main(
    model: Path,
    windows: Annotated[list[Path], typer.Option()],
    out: Annotated[Path, typer.Option("-o", "--out")],
    credits: Annotated[Path | None, typer.Option()] = None,
    made_of: Annotated[str, typer.Option(help="What the windows were made of.")] = "",
) -> None:
    """Evaluate and write."""
    card = Model(model).card
    results = list(evaluate(windows, [str(model)]))
    made = card.training
    size = model.stat().st_size / 1024
    metrics = ", ".join(f"{k} {v:.3f}" for k, v in card.metrics.items())
    lines = [
        f"# {card.name}",
        "",
        f"Made by noisewatch {card.version} on {card.created} from the best of {made.get('epochs')} epochs, step",
        f"{made.get('steps')} of a run with {made.get('batch')} windows a step (seed {made.get('seed')}); "
        f"{size:.0f} KiB. Licence of the",
        f"weights: {card.licence or 'none given'}. Every source allows to ship weights trained on it: "
        f"{'yes' if card.shippable else 'no'}.",
        "",
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
    for file in windows:
        lines += [*table([r for r in results if r["windows"] == file.name], model), ""]
    command = " ".join(["noisewatch evaluate", *(f"--windows {w.name}" for w in windows), f"--model {model.name}"])
    versions = (
        f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, numpy {numpy.__version__}"
    )
    lines += [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}; {versions}, {platform.machine()}.",
        "",
        "## Limits",
        "",
        LIMITS,
        "## Trained on",
        "",
        "| kind | source | minutes | licence |",
        "| --- | --- | --- | --- |",
        *(f"| {s['kind']} | {s['source']} | {s['minutes']} | {s['licence']} |" for s in card.trained_on),
        "",
    ]
    if credits is not None:
        lines += ["## Credits", "", *credited(credits.read_text(), {s["source"] for s in card.trained_on}), ""]
    with atomic_write(out) as written:
        written.write("\n".join(lines).rstrip() + "\n")


def table(results: list[dict[str, Any]], model: Path) -> list[str]:
    """The scorers of one file of windows as a Markdown table."""
    columns = list(results[0]["auc"])
    extras = [k for k in ("balanced_accuracy", "false_alarms", "snr_mae_db") if k in results[-1]]
    head = [f"{results[0]['windows']}: {results[0]['clean']} clean, {results[0]['noisy']} noisy windows", ""]
    head += ["| scorer | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for r in results:
        scorer = model.stem if r["scorer"] == str(model) else r["scorer"]
        head.append(f"| {scorer} | " + " | ".join(f"{r['auc'][c]:.3f}" for c in columns) + " |")
    words = {
        "balanced_accuracy": "balanced accuracy at the threshold",
        "false_alarms": "clean windows called noisy",
        "snr_mae_db": "mean absolute error of the SNR up to 30 dB, dB",
    }
    said = [f"{words[k]} {results[-1][k]:.3f}" for k in extras if results[-1][k] is not None]
    return [*head, "", f"{model.stem}: {'; '.join(said)}."]


def credited(text: str, sources: set[str]) -> list[str]:
    """Rows of the tables in a Markdown text whose first cell is one of the sources: name, origin, evidence."""
    rows = []
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] in sources:
            rows.append(f"- **{cells[0]}**: {'; '.join(c for c in cells[1:] if c)}")
    return rows


if __name__ == "__main__":
    typer.run(main)
