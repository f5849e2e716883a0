"""The training loop: draw a batch, step, validate on held-out voices and noises, keep the best checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric.loggers.csv_logs import CSVLogger
from torch import Tensor

from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.manifest import Row
from noisewatch.errors import NoisewatchError, OutputError

from .batch_augment import augmented
from .config import TrainConfig
from .dataset import Batch, Windows, batches
from .loss import loss
from .progress import RunProgress, Stop
from .run import Run, set_up
from .validate import merit, validate

VALIDATION_SEED = 1_000_003  # added to the run's seed: validation windows are nobody's training windows
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

    Writes `last.pt`, `best.pt` and `log/version_N/metrics.csv` into the folder `out`, a version for each resume.
    With resume=True a run goes on from its last step, if there is one; its length, rate, workers and teachers may
    change. Several processes (devices, or torchrun) share each batch; all but the first return None. Drawn windows
    are stored in the folder `cache` for the next run on the same data.

    Raises InputError for unusable data, ModelError for an unusable teacher, OutputError for a folder that cannot be
    written, UsageError for options out of range, NoisewatchError when the loss diverges or memory runs out.
    """
    run, rows = set_up(data, out, options, recipe=recipe, resume=resume, devices=devices)
    config = run.config
    training, held_out = load(rows, run)
    seed = config.seed + VALIDATION_SEED
    judged = Windows(held_out, seed, config.validation_batches * VALIDATION_BATCH, config.scene, cache)
    fixed = batches(judged, VALIDATION_BATCH, 0, config.validation_batches, config.workers)
    validation = [run.fabric.to_device(b) for b in fixed]
    count = config.unique_windows or config.steps * config.batch
    windows = Windows(training, config.seed, count, config.scene, cache, run.teachers, config.distill_weight)
    share = (run.fabric.global_rank, run.fabric.world_size)
    log = CSVLogger(out, name="log", flush_logs_every_n_steps=1)
    with Stop() as stop, memory_errors(config), RunProgress(config, run.step, run.console) as progress:
        began, begun = time.monotonic(), run.step
        for batch in batches(windows, config.batch, run.step, config.steps, config.workers, share):
            if 0 < config.patience <= run.waited:
                run.console.print(f"early stopping: no improvement for {run.waited} epochs")
                break
            stopping = train_step(run, batch, windows, stop)
            progress.show(run.step, run.smooth_loss or 0.0, run.best)
            if run.step % config.steps_per_epoch == 0:
                speed = (run.step - begun) * config.batch / (time.monotonic() - began)
                end_epoch(run, validation, log, speed)
                began, begun = time.monotonic(), run.step
            if stopping:
                run.save("last.pt")
                progress.stop()
                run.console.print(f"stopped at step {run.step} of {config.steps}; go on with: "
                                  f"noisewatch train {data} -o {out} --resume", markup=False)  # fmt: skip
                raise SystemExit(stopping)
    return out / "best.pt" if run.fabric.is_global_zero else None


def train_step(run: Run, batch: Batch, windows: Windows, stop: Stop) -> int:
    """One optimiser step; returns the exit code of a signal that any process received, else 0."""
    config, fabric = run.config, run.fabric
    for group in run.optimizer.param_groups:
        group["lr"] = config.rate(run.step)
    run.net.train()
    x, reference, targets, tracks = fabric.to_device(batch)
    if config.batch_augment:
        x = augmented(x, config.batch_augment, hash((config.seed, run.step, fabric.global_rank)))
    value = loss(run.net(x, reference), targets, tracks)
    # What one process sees, all have to act on.
    mean = float(cast(Tensor, fabric.all_reduce(value.detach())))
    code = torch.tensor(float(stop.code or 0), device=value.device)
    stopping = int(cast(Tensor, fabric.all_reduce(code, reduce_op="max")))
    if not math.isfinite(mean):
        first = run.step * config.batch + fabric.global_rank * len(x)
        raise diverged(run, f"the loss is {mean} at step {run.step}, {suspects(batch, windows, first)}")
    run.optimizer.zero_grad()
    fabric.backward(value)
    # In half precision the scaler expects infinite gradients, and skips their step.
    fabric.clip_gradients(run.net, run.optimizer, max_norm=5.0, error_if_nonfinite=False)
    run.optimizer.step()
    run.step += 1
    run.smooth_loss = mean if run.smooth_loss is None else 0.98 * run.smooth_loss + 0.02 * mean
    return stopping


def end_epoch(run: Run, validation: list[Batch], log: CSVLogger, speed: float) -> None:
    """Validate, save, log; speed: windows a second."""
    config, fabric = run.config, run.fabric
    run.metrics = fabric.broadcast(validate(run.bare, validation) if fabric.is_global_zero else {})
    if not math.isfinite(run.metrics["loss"]):
        raise diverged(run, f"the outputs on the validation windows are not finite at step {run.step}")
    run.waited += 1
    if merit(run.metrics) > run.best:
        run.best, run.waited = merit(run.metrics), 0
        run.save("best.pt")
    run.save("last.pt")
    epoch = run.step // config.steps_per_epoch
    values = {
        "epoch": epoch,
        "rate": config.rate(run.step),
        "windows_per_s": speed,
        "train_loss": run.smooth_loss or 0,
    }
    try:
        log.log_metrics({**values, **run.metrics}, step=run.step)
    except OSError as error:
        raise OutputError(f"cannot write {log.log_dir}: {error.strerror}.") from error
    run.console.print(
        f"epoch {epoch}: loss {run.smooth_loss:.3f}, on held-out voices and noises AUC {run.metrics['auc']:.4f}, "
        f"with speech {run.metrics['auc_speech']:.4f}, SNR error {run.metrics['snr_mae_db']:.1f} dB, "
        f"{speed:.0f} windows/s"
    )


def load(rows: Sequence[Row], run: Run) -> tuple[Catalogue, Catalogue]:
    """The recordings to learn from and to validate on; files that are left out are listed."""
    training, skipped = Catalogue.load(rows, "train")
    held_out, more = Catalogue.load(rows, "val")
    for sentence in (skipped + more)[:10]:
        run.console.print(f"left out: {sentence}", markup=False)
    if len(skipped + more) > 10:
        run.console.print(f"left out: {len(skipped + more) - 10} more")
    run.console.print(
        f"{run.config.net} on {len(training.speech)} speech and {len(training.noise)} noise recordings "
        f"({training.minutes:.0f} minutes), {len(training.rooms)} rooms -> {run.out}",
        markup=False,
    )
    return training, held_out


def diverged(run: Run, what: str) -> NoisewatchError:
    """A run without finite numbers: what is left of it, and what to do."""
    kept = (run.out / "last.pt").exists()
    advice = f"The last good checkpoint is in {run.out}: go on with --resume" if kept else "Start again"
    return NoisewatchError(f"{what}. {advice}, and try a lower --lr than {run.config.lr}.")


def suspects(batch: Batch, windows: Windows, first: int) -> str:
    """What is wrong with a batch whose first window has that number: its recordings, or not the data."""
    for place, parts in enumerate(zip(*batch, strict=True)):
        if not all(torch.isfinite(part).all() for part in parts):
            used = ", ".join(windows.recordings(first + place)) or "generated noise alone"
            return f"by a window of {used}: leave those files out"
    return "though every window of the batch is finite"


@contextmanager
def memory_errors(config: TrainConfig) -> Iterator[None]:
    """Turn running out of memory into an error that says what to reduce."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
            raise NoisewatchError(
                f"the memory is too small for {config.net} with {config.batch} windows a step. "
                f"Try --batch {max(2, config.batch // 2)}, or fewer --workers than {config.workers}."
            ) from error
        raise
