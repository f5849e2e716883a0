"""The verdict on a whole scan: too much noise, or recordings that could not be judged."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .file_report import FileReport


def too_noisy(reports: Sequence[FileReport], share: float) -> str | None:
    """A sentence if any recording is noisy for more than this share of its judged time (0..1), else None."""
    over = [r for r in reports if (r.noisy or 0) > share]
    if not over:
        return None
    worst = max(over, key=lambda r: r.noisy or 0)
    return (
        f"{len(over)} of {_count(reports)} {'is' if len(over) == 1 else 'are'} noisy for more than "
        f"{share:.0%} of the time; the noisiest: {worst.title}, {worst.noisy:.0%}."
    )


def incomplete(reports: Sequence[FileReport]) -> str | None:
    """A sentence if some recordings could not be judged, or not to their end, else None."""
    count = sum(not r.complete for r in reports)
    return f"{count} of {_count(reports)} could not be judged, or not to their end." if count else None


def check_judged(reports: Sequence[FileReport], *, strict: bool) -> None:
    """Raise InputError if no recording could be judged; strict: if any could not, or not to its end."""
    sentence = incomplete(reports)
    if not any(r.judged for r in reports) or (strict and sentence):
        raise InputError(sentence or "no recordings.")


def _count(reports: Sequence[FileReport]) -> str:
    apart = len({r.path for r in reports}) < len(reports)
    return f"{len(reports)} {'channels' if apart else 'recordings'}"
