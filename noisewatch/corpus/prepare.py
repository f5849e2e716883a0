"""Build a manifest from folders of recordings: speaker or original, duration, noise floor and split of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..audio import levels
from ..audio.highpass import high_passed
from ..audio.signal import SAMPLE_RATE
from ..decoding.suffixes import SUFFIXES
from ..errors import InputError
from ..ui.progress import tracked
from .collections import Found, find, speaker_unknown
from .manifest import Row, assign_splits, check_splits, read_audio, write_manifest


@dataclass
class Prepared:
    """The manifest that was written, and what is known about its recordings."""

    manifest: Path
    rows: list[Row] = field(default_factory=list)
    rates: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))  # kind -> Hz -> recordings
    skipped: list[str] = field(default_factory=list)  # why each unusable recording was skipped
    speakers_unknown: int = 0  # speech recordings whose speaker neither file name nor folder identifies


def prepare(folders: Mapping[str, Sequence[Path]], out: Path, *, seed: int = 0) -> Prepared:
    """Write out/manifest.csv for the folders or CSV files of each kind (speech, noise, rir).

    Speakers and original recordings are inferred from file and folder names (`collections`). Rows of an existing
    manifest retain their split and licence. Unreadable recordings are skipped. Raises InputError if a folder
    contains no recordings, or if there is no usable speech or no usable noise.
    """
    made = Prepared(out / "manifest.csv")
    for kind, roots in folders.items():
        for root in roots:
            files = list(find(root, kind))
            if not files:
                raise InputError(f"{root} contains no {kind} recordings ({', '.join(sorted(SUFFIXES))}).")
            for found in tracked(files, f"{kind} {root}"):
                try:
                    row, rate = _row(found, kind)
                except InputError as error:
                    made.skipped.append(str(error))
                    continue
                made.rows.append(row)
                made.rates[kind][rate] += 1
                made.speakers_unknown += kind == "speech" and speaker_unknown(found)
    for kind in ("speech", "noise"):
        if not any(r.kind == kind for r in made.rows):
            first = f" First reason: {made.skipped[0]}." if made.skipped else ""
            raise InputError(f"none of the {kind} recordings can be used ({len(made.skipped)} skipped).{first}")
    made.rows = assign_splits(made.rows, seed)
    check_splits(made.rows)
    write_manifest(made.manifest, made.rows)
    return made


def _row(found: Found, kind: str) -> tuple[Row, int]:
    """The row of a recording, and its sample rate in Hz."""
    path = found.path
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"cannot use {path!r}: its name is not valid UTF-8 and cannot be stored in a CSV file"
        ) from error
    samples, rate = read_audio(path)
    if not len(samples) or not np.abs(samples).max() > 0:
        raise InputError(f"cannot use {path}: {'digital silence' if len(samples) else 'no samples'}")
    row = Row(
        path=str(path.absolute()),
        kind=kind,
        source=found.source,
        group=found.group,
        seconds=len(samples) / SAMPLE_RATE,
        split="",
        ship="no",  # only you know the licence: change it to "yes" where shipping is allowed
        floor_db=levels.floor_db(high_passed(samples)) if kind == "speech" else None,
        licence="",
    )
    return found.row or row, rate
