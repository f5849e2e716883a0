"""Prints one table with a row per trial of `tools/take_turns.py`.

python tools/compare_trials.py trials/base trials/made
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noisewatch.errors import NoisewatchError
from noisewatch.evaluation.trials import compared, read_trial


def main(trials: Annotated[list[Path], typer.Argument(help="Folders of trials.")]) -> None:
    """Print the table."""
    try:
        print(compared([read_trial(folder) for folder in trials]), end="")
    except NoisewatchError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    typer.run(main)
