"""Progress bars, which only a terminal gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, ProgressColumn

from . import terminal

T = TypeVar("T")


class ProgressBar(Progress):
    """A Rich progress bar that writes nothing, not even a blank line, if its console is quiet or not a terminal.

    shown: False disables the bar on a terminal, too. transient: erase the bar when it is done.
    """

    def __init__(
        self, *columns: ProgressColumn, console: Console, shown: bool = True, transient: bool = True
    ) -> None:
        disable = not shown or console.quiet or not console.is_terminal
        super().__init__(*columns, console=console, transient=transient, disable=disable)


def tracked(items: Sequence[T], label: str, shown: bool = True) -> Iterator[T]:
    """The items, with a progress bar on stderr until they are consumed."""
    with ProgressBar(console=terminal.console(stderr=True), shown=shown) as bar:
        yield from bar.track(items, description=label)
