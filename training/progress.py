"""The progress bar of a run."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from noisewatch.ui.progress import ProgressBar

from .config import TrainConfig


class RunProgress(ProgressBar):
    """A bar with epoch, loss, learning rate, best merit and time left."""

    def __init__(self, config: TrainConfig, step: int, console: Console) -> None:
        super().__init__(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  rate {task.fields[rate]:.1e}  best {task.fields[best]:.4f}"),
            TimeRemainingColumn(),
            console=console,
            transient=False,
        )
        self._config = config
        start: dict[str, Any] = {"epoch": 1, "epochs": config.epochs, "loss": 0.0, "rate": 0.0, "best": 0.0}
        self._task = self.add_task("", total=config.steps, completed=step, **start)

    def show(self, step: int, loss: float, best: float) -> None:
        """Redraw after a step."""
        epoch = -(-step // self._config.steps_per_epoch)
        rate = self._config.rate(step)
        self.update(self._task, completed=step, epoch=epoch, loss=loss, rate=rate, best=max(best, 0.0))
