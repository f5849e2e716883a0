"""A manifest whose validation split is sources that nothing is learned from.

    python tools/leave_out.py DATA --source esc10 --source blanket -o left-out.csv
    noisewatch train left-out.csv -o runs/left-out
    noisewatch evaluate left-out.csv --split val --model runs/left-out

Other files of a source sound like the ones that were learned. The sources named here become validation, beside
those that were validation whole; other groups of the sources that remain for training are left out, and so is test.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from noisewatch.training.manifest import read_manifest, write_manifest


def main(
    data: Path,
    source: Annotated[list[str], typer.Option(help="Repeat for more.")],
    out: Annotated[Path, typer.Option("-o", "--out")],
) -> None:
    """Write the manifest."""
    rows = [row for row in read_manifest(data) if row.split != "test"]
    unknown = sorted(set(source) - {row.source for row in rows})
    if unknown:
        raise SystemExit(f"no training or validation source is called {', '.join(unknown)}.")
    splits = defaultdict(set)
    for row in rows:
        splits[row.source].add(row.split)
    held = {name for name, found in splits.items() if found == {"val"}} | set(source)
    kept = [replace(row, split="val") for row in rows if row.source in held]
    kept += [row for row in rows if row.source not in held and row.split == "train"]
    write_manifest(out, kept)
    print(f"{out}: {len(kept)} recordings; left out of training: {', '.join(sorted(held))}")


if __name__ == "__main__":
    typer.run(main)
