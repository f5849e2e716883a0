"""Writes a manifest whose validation split consists of entire sources that training never sees.

    python tools/leave_out.py DATA --source esc10 --source blanket -o left-out.csv
    python tools/leave_out.py DATA --third 1 -o left-1.csv
    noisewatch train left-out.csv -o runs/left-out
    noisewatch evaluate left-out.csv --split val --model runs/left-out

Files of one source sound alike, so validation on other files of a training source is too easy. The test split is
always dropped.

--source: the named sources become validation, along with those that are already entirely in the validation split.
If a kind (speech, noise, rir) has such sources, the validation files of its training sources are dropped.

--third: all sources are divided into three parts of similar size. One becomes validation and the others training.
`tools/take_turns.py` trains and measures a network on each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from noisewatch.corpus.manifest import Row, read_manifest, write_manifest
from noisewatch.corpus.thirds import left_out
from noisewatch.errors import NoisewatchError


def main(
    data: Path,
    out: Annotated[Path, typer.Option("-o", "--out", help="The CSV file to write.")],
    source: Annotated[list[str] | None, typer.Option(help="Source to leave out of training (repeatable).")] = None,
    third: Annotated[int | None, typer.Option(help="Third of all sources to leave out: 1, 2 or 3.")] = None,
) -> None:
    """Write the manifest."""
    if source and third is not None:
        raise SystemExit("--source and --third exclude each other: choose one of them.")
    try:
        rows = read_manifest(data)
        chosen = named_left_out(rows, source or ()) if third is None else left_out(rows, third)
        write_manifest(out, chosen)
    except NoisewatchError as error:
        raise SystemExit(str(error)) from None
    validation = sorted({row.source for row in chosen if row.split == "val"})
    print(f"{out}: {len(chosen)} recordings; validation: {', '.join(validation)}")


def named_left_out(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """The rows with the named sources, and those that were validation entirely, as validation."""
    rows = [row for row in rows if row.split != "test"]
    unknown = sorted(set(names) - {row.source for row in rows})
    if unknown:
        raise SystemExit(f"no training or validation source is named {', '.join(unknown)}.")
    splits = defaultdict(set)
    for row in rows:
        splits[row.kind, row.source].add(row.split)
    held_out = {key for key, found in splits.items() if found == {"val"} or key[1] in names}
    kinds = {kind for kind, _ in held_out}
    chosen = [replace(row, split="val") for row in rows if (row.kind, row.source) in held_out]
    others = [row for row in rows if (row.kind, row.source) not in held_out]
    chosen += [row for row in others if row.split == "train" or row.kind not in kinds]
    remaining = {(row.kind, row.split) for row in chosen}
    for kind in ("speech", "noise"):
        for split in ("train", "val"):
            if (kind, split) not in remaining:
                raise SystemExit(f"this leaves no {kind} for {split}. Choose other sources.")
    return chosen


if __name__ == "__main__":
    typer.run(main)
