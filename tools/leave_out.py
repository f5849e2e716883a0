"""Writes a manifest whose validation split consists of entire sources that training never sees.

    python tools/leave_out.py DATA --source esc10 --source blanket -o left-out.csv
    noisewatch train left-out.csv -o runs/left-out
    noisewatch evaluate left-out.csv --split val --model runs/left-out

Files of one source sound alike, so validation on other files of a training source is too easy. The named sources
become validation, along with those that are already entirely in the validation split. If a kind (speech, noise,
rir) has such sources, the validation files of its training sources are dropped. The test split is always dropped.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from noisewatch.corpus.manifest import read_manifest, write_manifest


def main(
    data: Path,
    out: Annotated[Path, typer.Option("-o", "--out", help="The CSV file to write.")],
    source: Annotated[list[str] | None, typer.Option(help="Source to leave out of training (repeatable).")] = None,
) -> None:
    """Write the manifest."""
    rows = [row for row in read_manifest(data) if row.split != "test"]
    named = set(source or ())
    unknown = sorted(named - {row.source for row in rows})
    if unknown:
        raise SystemExit(f"no training or validation source is named {', '.join(unknown)}.")
    splits = defaultdict(set)
    for row in rows:
        splits[row.kind, row.source].add(row.split)
    held_out = {key for key, found in splits.items() if found == {"val"} or key[1] in named}
    kinds = {kind for kind, _ in held_out}
    chosen = [replace(row, split="val") for row in rows if (row.kind, row.source) in held_out]
    others = [row for row in rows if (row.kind, row.source) not in held_out]
    chosen += [row for row in others if row.split == "train" or row.kind not in kinds]
    remaining = {(row.kind, row.split) for row in chosen}
    for kind in ("speech", "noise"):
        for split in ("train", "val"):
            if (kind, split) not in remaining:
                raise SystemExit(f"this leaves no {kind} for {split}. Choose other sources.")
    write_manifest(out, chosen)
    print(f"{out}: {len(chosen)} recordings; validation: {', '.join(sorted({name for _, name in held_out}))}")


if __name__ == "__main__":
    typer.run(main)
