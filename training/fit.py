"""The training loop: set up, step through batches, validate every epoch, save the last and the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric.loggers.csv_logs import CSVLogger
from torch import Tensor

from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import Row
from noisewatch.errors import OutputError

from .batch_augment import augmented
from .dataset import Batch, Windows, batches
from .failures import diverged, memory_errors, suspects
from .loss import loss, span
from .progress import RunProgress
from .run import Run, set_up
from .stop import Stop, Stopped
from .validate import merit, validate

VALIDATION_SEED = 1_000_003  # added to the run's seed, so that training never draws a validation window
VALIDATION_BATCH = 128


def fit(
    data: Path,
    out: Path,
    options: Mapping[str, Any],
    *,
    recipe: Path | None = None,
    resume: bool = False,
    devices: int | None = None,
    cache: Path | None = None,
) -> Path | None:
    """Train a network on a manifest; returns the path of the best checkpoint. `options`: fields of TrainConfig.

    Writes `last.pt`, `best.pt` and `log/version_N/metrics.csv` into the folder `out`, one version per resume. With
    resume=True a run continues from its last step if there is one; its length, learning rate, workers and teachers
    may change. Several processes (devices, or torchrun) share each batch; all but the first return None. The folder
    `cache` stores drawn windows for later runs on the same data.

    Raises InputError for unusable data, ModelError for an unusable teacher, OutputError for a folder that cannot be
    written, UsageError for options out of range, NoisewatchError when the loss diverges or memory runs out, and
    SystemExit after a signal.
    """
    with Stop() as stop:
        run, rows = set_up(data, out, options, recipe=recipe, resume=resume, devices=devices)
        try:
            windows, validation = load_windows(run, rows, cache, stop)
        except Stopped:
            exit_code = saved_on_signal(run, stop)
        else:
            exit_code = saved_on_signal(run, stop) or learn(run, windows, validation, stop)
        if exit_code:
            run.console.print(f"stopped at step {run.step} of {run.config.steps}; to continue: "
                              f"noisewatch train {data} -o {out} --resume", markup=False)  # fmt: skip
            raise SystemExit(exit_code)
    return out / "best.pt" if run.fabric.is_global_zero else None


def learn(run: Run, windows: Windows, validation: list[Batch], stop: Stop) -> int:
    """Train to the last step, and save at every epoch; returns the exit code of a signal that ended it, else 0."""
    config, log = run.config, CSVLogger(run.out, name="log", flush_logs_every_n_steps=1)
    share = (run.fabric.global_rank, run.fabric.world_size)
    with memory_errors(config), RunProgress(config, run.step, run.console) as progress:
        started, first = time.monotonic(), run.step
        for batch in batches(windows, config.batch, run.step, config.steps, config.workers, share):
            if 0 < config.patience <= run.waited:
                run.console.print(f"early stopping: no improvement for {run.waited} epochs")
                break
            train_step(run, batch, windows)
            progress.show(run.step, run.smooth_loss or 0.0, run.best)
            if run.step % config.steps_per_epoch == 0:
                windows_per_s = (run.step - first) * config.batch / (time.monotonic() - started)
                if improved(run, validation):
                    run.save("best.pt")
                run.save("last.pt")
                report(run, log, windows_per_s)
                started, first = time.monotonic(), run.step
            if exit_code := saved_on_signal(run, stop):  # before waiting for the workers
                return exit_code
    return 0


def saved_on_signal(run: Run, stop: Stop) -> int:
    """Save the run if any process has received a signal; returns its exit code, else 0. Every process calls it."""
    code = torch.tensor(float(stop.code or 0), device=run.fabric.device)
    exit_code = int(cast(Tensor, run.fabric.all_reduce(code, reduce_op="max")))
    if exit_code:
        run.save("last.pt")
    return exit_code


def load_windows(run: Run, rows: Sequence[Row], cache: Path | None, stop: Stop) -> tuple[Windows, list[Batch]]:
    """The windows to learn from, and the validation batches on the device; lists unreadable recordings.

    Raises Stopped after a signal.
    """
    config = run.config
    training, skipped = Catalogue.load(stop.watch(rows), "train")
    held_out, more = Catalogue.load(stop.watch(rows), "val")
    for sentence in (skipped + more)[:10]:
        run.console.print(f"left out: {sentence}", markup=False)
    if len(skipped + more) > 10:
        run.console.print(f"left out: {len(skipped + more) - 10} more")
    run.console.print(
        f"{config.net} on {len(training.speech)} speech and {len(training.noise)} noise recordings "
        f"({training.minutes:.0f} minutes), {len(training.rooms)} rooms -> {run.out}",
        markup=False,
    )
    number = config.validation_batches
    fixed = Windows(held_out, config.seed + VALIDATION_SEED, number * VALIDATION_BATCH, config.scene, cache)
    validation = stop.watch(batches(fixed, VALIDATION_BATCH, 0, number, config.workers))
    count = config.unique_windows or config.steps * config.batch
    windows = Windows(training, config.seed, count, config.scene, cache, run.teachers, config.distill_weight)
    return windows, [run.fabric.to_device(batch) for batch in validation]


def train_step(run: Run, batch: Batch, windows: Windows) -> None:
    """One optimiser step."""
    config, fabric = run.config, run.fabric
    for group in run.optimizer.param_groups:
        group["lr"] = config.rate(run.step)
    run.net.train()
    x, reference, targets, tracks = fabric.to_device(batch)
    if config.batch_augment:
        x = augmented(x, config.batch_augment, hash((config.seed, run.step, fabric.global_rank)))
    value = loss(run.net(x, reference), targets, tracks, span(run.bare))
    # All processes have to agree on the loss.
    mean = float(cast(Tensor, fabric.all_reduce(value.detach())))
    if not math.isfinite(mean):
        first = run.step * config.batch + fabric.global_rank * len(x)
        raise diverged(run, f"the loss is {mean} at step {run.step}, {suspects(batch, windows, first)}")
    run.optimizer.zero_grad()
    fabric.backward(value)
    # In half precision the gradient scaler expects infinite gradients, and skips their step.
    fabric.clip_gradients(run.net, run.optimizer, max_norm=5.0, error_if_nonfinite=False)
    run.optimizer.step()
    run.step += 1
    run.smooth_loss = mean if run.smooth_loss is None else 0.98 * run.smooth_loss + 0.02 * mean


def improved(run: Run, validation: list[Batch]) -> bool:
    """Validate the network, and update the best merit and the epochs since then; True for the best so far."""
    fabric = run.fabric
    run.metrics = fabric.broadcast(validate(run.bare, validation) if fabric.is_global_zero else {})
    if not math.isfinite(run.metrics["loss"]):
        raise diverged(run, f"the outputs on the validation windows are not finite at step {run.step}")
    if merit(run.metrics) <= run.best:
        run.waited += 1
        return False
    run.best, run.waited = merit(run.metrics), 0
    return True


def report(run: Run, log: CSVLogger, windows_per_s: float) -> None:
    """Log the figures of an epoch to the CSV file, and print the main ones."""
    config, metrics = run.config, run.metrics
    epoch, rate = run.step // config.steps_per_epoch, config.rate(run.step)
    values = {"epoch": epoch, "rate": rate, "windows_per_s": windows_per_s, "train_loss": run.smooth_loss or 0}
    try:
        log.log_metrics({**values, **metrics}, step=run.step)
    except OSError as error:
        raise OutputError(f"cannot write {log.log_dir}: {error.strerror}.") from error
    run.console.print(
        f"epoch {epoch}: loss {run.smooth_loss:.3f}, validation AUC {metrics['auc']:.4f}, "
        f"with speech {metrics['auc_speech']:.4f}, SNR error {metrics['snr_mae_db']:.1f} dB, "
        f"{windows_per_s:.0f} windows/s"
    )
