"""A manifest whose validation split is sources that nothing is learned from.

    python tools/leave_out.py DATA --source esc10 --source blanket -o left-out.csv
    noisewatch train left-out.csv -o runs/left-out
    noisewatch evaluate left-out.csv --split val --model runs/left-out

Other files of a source sound like the ones that were learned. The sources named here become validation, beside
those that were validation whole. Where a kind has such sources, other groups of its training sources are left
out; test always is.
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
    out: Annotated[Path, typer.Option("-o", "--out")],
    source: Annotated[list[str] | None, typer.Option(help="Repeat for more.")] = None,
) -> None:
    """Write the manifest."""
    rows = [row for row in read_manifest(data) if row.split != "test"]
    named = set(source or ())
    unknown = sorted(named - {row.source for row in rows})
    if unknown:
        raise SystemExit(f"no training or validation source is called {', '.join(unknown)}.")
    splits = defaultdict(set)
    for row in rows:
        splits[row.kind, row.source].add(row.split)
    held = {key for key, found in splits.items() if found == {"val"} or key[1] in named}
    kinds = {kind for kind, _ in held}
    kept = [replace(row, split="val") for row in rows if (row.kind, row.source) in held]
    others = [row for row in rows if (row.kind, row.source) not in held]
    kept += [row for row in others if row.split == "train" or row.kind not in kinds]
    left = {(row.kind, row.split) for row in kept}
    for kind in ("speech", "noise"):
        for split in ("train", "val"):
            if (kind, split) not in left:
                raise SystemExit(f"that leaves no {kind} for {split}: name other sources.")
    write_manifest(out, kept)
    print(f"{out}: {len(kept)} recordings; validation: {', '.join(sorted({name for _, name in held}))}")


if __name__ == "__main__":
    typer.run(main)
