"""The progress bar of a run, and the signals that end it."""

from __future__ import annotations

import signal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .config import TrainConfig


class RunProgress(Progress):
    """A bar with epoch, loss, learning rate, best merit and time left; off when stderr is not a terminal."""

    def __init__(self, config: TrainConfig, step: int, console: Console) -> None:
        super().__init__(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  rate {task.fields[rate]:.1e}  best {task.fields[best]:.4f}"),
            TimeRemainingColumn(),
            console=console,
            disable=console.quiet or not console.is_terminal,
        )
        self._config = config
        start: dict[str, Any] = {"epoch": 1, "epochs": config.epochs, "loss": 0.0, "rate": 0.0, "best": 0.0}
        self._task = self.add_task("", total=config.steps, completed=step, **start)

    def show(self, step: int, loss: float, best: float) -> None:
        """Redraw after a step."""
        epoch = -(-step // self._config.steps_per_epoch)
        rate = self._config.rate(step)
        self.update(self._task, completed=step, epoch=epoch, loss=loss, rate=rate, best=max(best, 0.0))


class Stop:
    """Ctrl-C and SIGTERM take effect at the end of a step, where a checkpoint is consistent; the second at once."""

    def __enter__(self) -> Stop:
        self.code: int | None = None
        self._before = {n: signal.signal(n, self._take) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _take(self, number: int, _: object) -> None:
        if self.code is not None:
            raise KeyboardInterrupt
        self.code = 128 + number

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
