"""Progress bars of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.progress import track

from ..ui import terminal

T = TypeVar("T")


def tracked(items: Sequence[T], label: str, shown: bool) -> Iterable[T]:
    """The items, with a progress bar on stderr if `shown` and stderr is a terminal."""
    return track(items, label, console=terminal.console(stderr=True), transient=True, disable=not shown)
