"""Thirds of all sources: each one is left out of training once, to measure a network that did not learn from it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import InputError, UsageError
from .catalogue import CLEAN_DB
from .manifest import Row
from .styles import style

THIRDS = (1, 2, 3)
UNKNOWN_S = 5.0  # of a recording whose duration is not in the manifest
CORPORA = ("commonvoice", "libri")  # part of the names of many collections; LibriSpeech is made of LibriVox


def left_out(rows: Iterable[Row], third: int) -> list[Row]:
    """The training and validation rows with one third of the sources as `val` and all others as `train`.

    Resynthesised voices serve for training only: those of the third that is left out are dropped. Raises
    UsageError for a third that does not exist, InputError if a split would have no noise or no clean speech.
    """
    if third not in THIRDS:
        raise UsageError(f"the third is {third}; allowed: 1, 2, 3.")
    used = [row for row in rows if row.split != "test"]
    third_of = divided(used)
    split_of = {source: "val" if part == third else "train" for source, part in third_of.items()}
    chosen = [
        replace(row, split=split_of[row.source])
        for row in used
        if split_of[row.source] == "train" or row.style != "made"
    ]
    for split in ("train", "val"):
        _check(chosen, split, third)
    return chosen


def divided(rows: Iterable[Row]) -> dict[str, int]:
    """The third of each source, from the manifest alone: balanced by minutes within each style, noise and rooms.

    Families of sources go to the third where they leave the smallest share of any kind, the largest family first.
    Raises InputError for a source that has resynthesised voices only.
    """
    families: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    totals: dict[str, float] = defaultdict(float)
    sources = set()
    rows = list(rows)
    for row in rows:
        if row.style != "made":
            sources.add(row.source)
            what = style(row) if row.kind == "speech" else row.kind
            seconds = row.seconds or UNKNOWN_S
            families[family(row.source)][what] += seconds
            totals[what] += seconds
    if lost := sorted({row.source for row in rows} - sources):
        raise InputError(
            f"{', '.join(lost)}: only resynthesised voices. Add the recordings that they were made from."
        )
    shares = {
        name: {what: seconds / totals[what] for what, seconds in minutes.items()}
        for name, minutes in families.items()
    }
    part_of = _balanced(shares)
    return {source: part_of[family(source)] for source in sorted(sources)}


def family(source: str) -> str:
    """What a source's name has in common with related ones: a known corpus, or all up to "_" or the first digit."""
    name = source.lower()
    for corpus in CORPORA:
        if corpus in name.replace("_", "").replace("-", ""):
            return corpus
    return re.split(r"[_\d]", name)[0] or name


def _balanced(shares: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """Longest-processing-time scheduling (Graham 1969), for several quantities at once."""
    loads: dict[int, dict[str, float]] = {third: defaultdict(float) for third in THIRDS}
    part_of = {}
    for name, mine in sorted(shares.items(), key=lambda item: (-max(item[1].values()), item[0])):
        part = min(
            THIRDS, key=lambda third: (max(loads[third][what] + share for what, share in mine.items()), third)
        )
        for what, share in mine.items():
            loads[part][what] += share
        part_of[name] = part
    return part_of


def _check(rows: Sequence[Row], split: str, third: int) -> None:
    mine = [row for row in rows if row.split == split]
    speech = [r for r in mine if r.kind == "speech" and r.style != "made"]
    clean = [r for r in speech if r.floor_db is None or r.floor_db >= CLEAN_DB]
    for what, found in (("clean speech", clean), ("noise", [r for r in mine if r.kind == "noise"])):
        if not found:
            raise InputError(
                f"with third {third} left out, there is no {what} for {split}: the sources cannot be divided into "
                "three. Add sources; names with the same beginning count as one."
            )
