"""Manifests: CSV files with one row per recording, in splits that share no speaker and no noise recording."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ..audio.signal import SAMPLE_RATE
from ..errors import InputError
from ..inputs.recording import open_recording
from ..system.csv_writer import CsvWriter
from ..system.files import atomic_write

KINDS = ("speech", "noise", "rir")
SPLITS = ("train", "val", "test")
STYLES = ("read", "other", "words", "made")
SOUNDS_CSV = "sounds.csv"  # columns path and sound: the kinds of noises, where the manifest has no such column
SHARES = (0.6, 0.2, 0.2)  # of the groups


@dataclass(frozen=True)
class Row:
    """One recording. The fields are the columns of the CSV file, in order."""

    path: str  # relative to the manifest's folder, or absolute
    kind: str  # speech | noise | rir
    source: str  # name of the collection
    group: str  # speaker, or original recording of a noise or room; never in two splits
    seconds: float
    split: str  # train | val | test; empty: to be assigned
    ship: str  # "yes": weights trained on it may be shipped
    floor_db: float | None  # speech only: active level above the recording's own noise floor, dB
    licence: str
    sound: str = ""  # noise only: kind of sound, such as "typing"; empty: not known
    style: str = ""  # speech only: read | other | words (single ones) | made (resynthesised); empty: not known


COLUMNS = tuple(f.name for f in fields(Row))


def read_manifest(path: Path) -> list[Row]:
    """Read the rows of a CSV file, or of `manifest.csv` in a folder. Paths are returned absolute.

    Rows without a split are assigned one, 60/20/20 by group, deterministically. Raises InputError for a missing
    file, missing columns, an unknown kind or split, and groups or files that are in two splits.
    """
    path = path / "manifest.csv" if os.path.isdir(path) else path  # noqa: PTH112 - False without permission
    if not os.path.isfile(path):  # noqa: PTH113
        raise InputError(
            f"no manifest at {path}. Make one with `noisewatch prepare --speech DIR --noise DIR -o data/`, "
            "or a small generated set with `noisewatch prepare --demo -o data/`."
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS[:4] if c not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path} has no column {', '.join(missing)}; a manifest needs: {', '.join(COLUMNS)}."
                )
            sounds = {} if "sound" in (reader.fieldnames or ()) else _sounds(path.parent / SOUNDS_CSV)
            rows = [_row(path, number, cells, sounds) for number, cells in enumerate(reader, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8: {error}.") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    if not rows:
        raise InputError(f"{path} lists no recordings.")
    rows = assign_splits(rows)
    check_splits(rows)
    return rows


def _sounds(path: Path) -> dict[str, str]:
    """The kind of sound of each path in a CSV file; empty if there is no such file."""
    if not os.path.isfile(path):  # noqa: PTH113
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if missing := [c for c in ("path", "sound") if c not in (reader.fieldnames or ())]:
            raise InputError(f"{path} has no column {', '.join(missing)}; it needs: path, sound.")
        return {(cells["path"] or "").strip(): (cells["sound"] or "").strip() for cells in reader}


def _row(path: Path, number: int, cells: dict[str, str], sounds: Mapping[str, str]) -> Row:
    cell = {c: (cells.get(c) or "").strip() for c in COLUMNS}
    if cell["kind"] not in KINDS:
        raise InputError(f"{path}, line {number}: kind is {cell['kind']!r}; allowed: {', '.join(KINDS)}.")
    if cell["split"] not in (*SPLITS, ""):
        raise InputError(f"{path}, line {number}: split is {cell['split']!r}; allowed: {', '.join(SPLITS)}.")
    if cell["style"] not in (*STYLES, ""):
        raise InputError(f"{path}, line {number}: style is {cell['style']!r}; allowed: {', '.join(STYLES)}.")
    try:
        seconds = float(cell["seconds"] or 0)
        floor_db = float(cell["floor_db"]) if cell["floor_db"] else None
    except ValueError as error:
        raise InputError(f"{path}, line {number}: {error}.") from error
    where = str((path.parent / cell["path"]).absolute())
    return Row(where, cell["kind"], cell["source"], cell["group"] or cell["path"], seconds, cell["split"],
               cell["ship"] or "no", floor_db, cell["licence"], cell["sound"] or sounds.get(cell["path"], ""),
               cell["style"])  # fmt: skip


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write rows to a CSV file, atomically. Paths inside its folder are stored relative to it."""
    folder = path.parent.absolute()
    with atomic_write(path, newline="") as file:
        table = CsvWriter(file, COLUMNS)
        table.header()
        for row in rows:
            where = Path(row.path)
            inside = where.relative_to(folder) if where.is_relative_to(folder) else where
            floor = "" if row.floor_db is None else f"{row.floor_db:.1f}"
            table.row({**vars(row), "path": str(inside), "seconds": f"{row.seconds:.2f}", "floor_db": floor})


def assign_splits(rows: Sequence[Row], seed: int = 0) -> list[Row]:
    """Fill in missing splits, 60/20/20 by group within each kind. No group is divided."""
    split_of: dict[tuple[str, str, str], str] = {}
    for kind in KINDS:
        groups = sorted({(r.kind, r.source, r.group) for r in rows if r.kind == kind and not r.split})
        order = np.random.default_rng(seed).permutation(len(groups))
        val, test = (max(1, round(share * len(groups))) if len(groups) >= 3 else 0 for share in SHARES[1:])
        for place, index in enumerate(order):
            split_of[groups[index]] = "val" if place < val else "test" if place < val + test else "train"
    return [r if r.split else replace(r, split=split_of[r.kind, r.source, r.group]) for r in rows]


def check_splits(rows: Iterable[Row]) -> None:
    """Raise InputError if a speaker, noise recording or file is in two splits, which would inflate results."""
    seen: dict[str, set[str]] = defaultdict(set)
    for r in rows:
        seen[f"{r.kind} {r.source}/{r.group}"].add(r.split)
        seen[r.path].add(r.split)
    shared = [what for what, splits in seen.items() if len(splits) > 1]
    if shared:
        raise InputError(
            f"{len(shared)} groups or files are in more than one split, such as {shared[0]} in "
            f"{' and '.join(sorted(seen[shared[0]]))}. A network would be tested on voices or noises from its "
            "training set. Keep each group in one split, or leave the `split` column empty to have it assigned."
        )


def load_audio(path: str | Path) -> NDArray[np.float32]:
    """Read a recording as mono float32 (n,) at 16 kHz. Raises InputError, with the reason, if that fails."""
    return read_audio(path)[0]


def read_audio(path: str | Path) -> tuple[NDArray[np.float32], int]:
    """Read a recording as mono float32 (n,) at 16 kHz. Returns its original sample rate (Hz) as well.

    Channels are mixed as in the runtime. Raises InputError, with the reason, if it cannot be read, is damaged, or
    ends early (there is no way to know what is missing).
    """
    try:
        source = open_recording(Path(path), str(path))
        mono = np.concatenate(list(source.blocks()))
    except MemoryError as error:
        raise InputError(f"cannot read {path}: it does not fit in memory") from error
    if not np.isfinite(mono).all():
        raise InputError(f"cannot read {path}: it contains NaN or infinite samples")
    if source.sample_rate != SAMPLE_RATE:
        mono = soxr.resample(mono, source.sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(mono, np.float32), source.sample_rate
