"""The line on stderr while `check`, `doctor` and `calibrate` listen."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment

from ..core.stream import Stream
from ..errors import printable
from ..inputs.source import Source
from . import terminal
from .style import BOLD, DIM, FRAMES_PER_S, level_bar, to_ascii

BAR = 16  # cells


@dataclass
class Countdown:
    """A Rich renderable: the current level, the time left and the instruction to the speaker."""

    stream: Stream
    source: Source
    seconds: float | None  # of stream time; None: until the source ends
    instruction: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        time = self.stream.time
        left = f"{time:.0f} s" if self.seconds is None else f"{max(0, math.ceil(self.seconds - time))} s left"
        line = [
            *level_bar(self.stream.level_dbfs, BAR),
            Segment(f"   {left}", BOLD),
            Segment(f"   {self.instruction}"),
            Segment(f"   {printable(self.source.name)}", DIM),
        ]
        if options.ascii_only:
            line = to_ascii(line)
        yield from Segment.adjust_line_length(line, options.max_width, pad=False)


def counting_down(
    instruction: str,
) -> Callable[[Stream, Source, float | None], AbstractContextManager[object]]:
    """A function of stream, source and length in s that shows a countdown with this instruction."""
    return lambda stream, source, seconds: show_countdown(Countdown(stream, source, seconds, instruction))


def show_countdown(countdown: Countdown) -> AbstractContextManager[object]:
    """Show the countdown within this block, if stderr is a terminal."""
    console = terminal.console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        return nullcontext()
    return Live(
        get_renderable=lambda: countdown, console=console, refresh_per_second=FRAMES_PER_S,
        redirect_stdout=False, redirect_stderr=False, transient=True,
    )  # fmt: skip
