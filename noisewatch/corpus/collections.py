"""Layouts and naming schemes of public collections: speech or noise, speaker, recording that a noise was cut from.

A group must not be divided between splits. For noises it is "kind:recording" if the kind is known.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..decoding.suffixes import SUFFIXES
from ..errors import InputError
from .manifest import Row, read_manifest

# Folder names that do not identify a speaker.
NO_SPEAKER = {"train", "training", "dev", "val", "valid", "validation", "test", "eval"}
NO_SPEAKER |= {"wav", "wavs", "flac", "audio", "clips", "recordings"}

# MS-SNSD holds clean speech, noise and mixtures of the two side by side.
MS_SNSD = {
    "speech": {"clean_train", "clean_test", "cleanspeech_training"},
    "noise": {"noise_train", "noise_test", "noise_training"},
    "rir": set(),
}
URBANSOUND = (
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling",
    "engine_idling", "gun_shot", "jackhammer", "siren", "street_music",
)  # fmt: skip
LIBRISPEECH_NAME = re.compile(r"(\d+)-\d+-\d{4}")  # speaker-chapter-utterance
ESC50_NAME = re.compile(r"[1-5]-(\d+)-[A-Z]-(\d+)")  # fold-recording-take-class
URBANSOUND_NAME = re.compile(r"(\d+)-(\d)-\d+-\d+")  # recording-class-occurrence-slice
MS_SNSD_NOISE_NAME = re.compile(r"([A-Z][A-Za-z]+)_\d+")  # Kind_number
ANONYMOUS = re.compile(r"clnsp\d+|[0-9a-f]{12,}")  # MS-SNSD's speech, SOVA's hashes: no speaker in the name


@dataclass(frozen=True)
class Found:
    """A file found in a collection, not yet read."""

    path: Path
    source: str
    group: str
    row: Row | None = None  # from an existing manifest


def find(root: Path, kind: str) -> Iterator[Found]:
    """Yield the recordings of one kind (speech, noise, rir) in a folder or CSV file.

    The rows of a manifest (a CSV file, or manifest.csv in a folder) are used as they are. Any other CSV file needs
    a `filename` column with paths relative to that file. Raises InputError for anything else.
    """
    try:
        root.stat()
    except OSError as error:
        raise InputError(
            f"cannot read {root}: {error.strerror}. --{kind} takes a folder of recordings or a CSV file."
        ) from error
    if root.suffix.lower() == ".csv" and root.is_file():
        yield from _listed(root, kind)
    elif (root / "manifest.csv").is_file():
        yield from _rows(root / "manifest.csv", kind)
    elif root.is_dir():
        below = [f for f in root.iterdir() if f.is_dir()]
        folders = [f for f in below if f.name.lower() in MS_SNSD[kind]]
        classes = _esc50_classes(root)
        for folder in sorted(folders) or [root]:
            for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
                # All parts of LibriSpeech share one set of speaker numbers.
                numbered = kind == "speech" and LIBRISPEECH_NAME.fullmatch(path.stem)
                source = "librispeech" if numbered else root.resolve().name
                yield Found(path, source, group(path, folder, kind, classes))
    else:
        raise InputError(f"{root} is not a folder. --{kind} takes a folder of recordings or a CSV file.")


def group(path: Path, root: Path, kind: str, classes: dict[str, str] | None = None) -> str:
    """The group of a recording: its speaker, or the original recording that a noise was cut from."""
    name, inside = path.stem, path.relative_to(root)
    if kind == "speech":
        if match := LIBRISPEECH_NAME.fullmatch(name):
            return match[1]
        if above := [part for part in inside.parts[:-1] if part.lower() not in NO_SPEAKER]:
            return above[0]
        return name if ANONYMOUS.fullmatch(name) else re.split(r"[-_]", name, maxsplit=1)[0]
    if match := URBANSOUND_NAME.fullmatch(name):
        return f"{URBANSOUND[int(match[2])]}:{match[1]}"
    if match := ESC50_NAME.fullmatch(name):
        return f"{(classes or {}).get(match[2], 'class ' + match[2])}:{match[1]}"
    if match := MS_SNSD_NOISE_NAME.fullmatch(name):
        return f"{match[1]}:{name}"
    return inside.with_suffix("").as_posix()


def speaker_unknown(found: Found) -> bool:
    """Whether neither file name nor folder identifies the speaker. One voice may then be in two splits."""
    return found.row is None and found.group == found.path.stem and bool(ANONYMOUS.fullmatch(found.path.stem))


def _rows(manifest: Path, kind: str) -> Iterator[Found]:
    for row in read_manifest(manifest):
        if row.kind == kind:
            yield Found(Path(row.path), row.source, row.group, row)


def _listed(path: Path, kind: str) -> Iterator[Found]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}.") from error
    if rows and "path" in rows[0]:
        yield from _rows(path, kind)
        return
    if not rows or "filename" not in rows[0]:
        raise InputError(f"{path} has neither a `filename` nor a `path` column, or no rows.")
    classes = {r["target"]: r["category"] for r in rows if r.get("target") and r.get("category")}
    for number, cells in enumerate(rows, start=2):
        if not cells.get("filename"):
            raise InputError(f"{path}, line {number}: the `filename` column is empty.")
        where = path.parent / cells["filename"]
        who = cells.get("speaker") or cells.get("group") or group(where, where.parent, kind, classes)
        yield Found(where, cells.get("source") or path.stem, who)


def _esc50_classes(root: Path) -> dict[str, str]:
    """ESC-50 class names by number, from the collection's own meta/esc50.csv."""
    for table in (root / "meta" / "esc50.csv", root.parent / "meta" / "esc50.csv"):
        if table.is_file():
            with table.open(newline="", encoding="utf-8", errors="replace") as file:
                rows = list(csv.DictReader(file))
            return {r["target"]: r["category"] for r in rows if r.get("target") and r.get("category")}
    return {}
