"""Text summary of a prepared manifest: its contents, and what is missing for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .catalogue import CLEAN_DB
from .manifest import SPLITS, Row
from .prepare import Prepared

MOST_SKIPPED = 20  # skipped recordings to list


def summary(prepared: Prepared) -> Iterator[str]:
    """Counts and warnings for each kind, the skipped recordings, and the path of the manifest."""
    for kind in dict.fromkeys(r.kind for r in prepared.rows):
        rows = [r for r in prepared.rows if r.kind == kind]
        yield from _counts(kind, rows, prepared.rates[kind])
        if kind != "rir":
            yield from _warnings(kind, rows)
        if kind == "speech":
            clean = sum((r.floor_db or 0) >= CLEAN_DB for r in rows)
            yield f"  {clean} are at least {CLEAN_DB:.0f} dB above their noise floor and serve as clean speech"
    yield from (f"skipped: {message}" for message in prepared.skipped[:MOST_SKIPPED])
    if len(prepared.skipped) > MOST_SKIPPED:
        yield f"skipped: {len(prepared.skipped) - MOST_SKIPPED} more"
    if prepared.speakers_unknown:
        yield (
            f"warning: the speakers of {prepared.speakers_unknown} speech recordings are unknown, so one voice may "
            "be in two splits, which inflates validation scores. Sort them into one folder per speaker."
        )
    yield str(prepared.manifest)


def _counts(kind: str, rows: Sequence[Row], rates: Counter[int]) -> Iterator[str]:
    splits = ", ".join(f"{split} {sum(r.split == split for r in rows)}" for split in SPLITS)
    yield (
        f"{kind}: {len(rows)} recordings, {sum(r.seconds for r in rows) / 60:.1f} minutes, "
        f"{len({(r.source, r.group) for r in rows})} groups; recordings by split: {splits}"
    )
    yield "  " + ", ".join(f"{count} at {rate} Hz" for rate, count in sorted(rates.items()))
    kinds = Counter(r.group.split(":")[0] for r in rows if kind == "noise" and ":" in r.group)
    if kinds:
        yield f"  kinds: {', '.join(f'{name} {count}' for name, count in kinds.most_common())}"


def _warnings(kind: str, rows: Sequence[Row]) -> Iterator[str]:
    if len({r.source for r in rows}) == 1:
        yield (
            f"  warning: all {kind} comes from one source, {rows[0].source}: a network may learn its microphone "
            "and rooms instead of the noise. Add another source."
        )
    empty = [s for s in ("train", "val") if not any(r.split == s for r in rows)]
    if empty:
        who = "speakers" if kind == "speech" else "recordings"
        yield (
            f"  warning: no {kind} in {' and '.join(empty)}, and training needs both train and val. Provide at "
            f"least three {who} with different names or folders."
        )
