"""The training loop: draw windows, step, validate on other voices and noises, keep the best."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch import terminal
from noisewatch.errors import InputError, NoisewatchError, OutputError, UsageError
from noisewatch.frontend import FrontendConfig
from noisewatch.sinks import Rows, atomic_write

from .checkpoint import begin_with, data_card, load_checkpoint, merged, save_checkpoint, taught
from .config import PRECISIONS, TrainConfig, configured, resumed
from .dataset import NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE, Batch, Windows, batches
from .manifest import Row, read_manifest
from .mixing import Catalogue
from .nets import NETS
from .nets.head import LEAST_DB, Verdict
from .scores import calibration, roc_auc
from .teachers import Teachers
from .vary import varied

VALIDATION_SEED = 1_000_003  # added to the run's seed: validation windows are nobody's training windows
VALIDATION_BATCH = 128
BANDS = ((-5, 5), (5, 12), (12, 20))  # dB: the AUC is logged for each


def losses(verdict: Verdict, targets: Tensor, tracks: Tensor) -> Tensor:
    """Weighted mean loss of a batch: noise and voice (cross-entropy), SNR and levels over time (Huber).

    targets (B, 5) and tracks (B, 2, T) as `dataset` lays them out; a verdict of n B rows tells each window n
    times. Windows of weight 0 do not count; levels count down to 45 dB under the loud part of the window.
    """
    times_told = len(verdict.noise) // len(targets)
    targets, tracks = targets.repeat(times_told, 1), tracks.repeat(times_told, 1, 1)
    weight, snr_weight = targets[:, NOISY_WEIGHT], targets[:, SNR_WEIGHT]
    noisy = F.binary_cross_entropy_with_logits(verdict.noise, targets[:, NOISY], reduction="none")
    error = F.smooth_l1_loss(verdict.snr_db / 5, targets[:, SNR].clamp(-10, 45) / 5, reduction="none")
    spoken = F.binary_cross_entropy_with_logits(verdict.voice, targets[:, VOICE])
    times = verdict.tracks.shape[2]
    tracks = F.avg_pool1d(tracks.clamp(min=LEAST_DB), max(1, tracks.shape[2] // times))
    tracks = F.interpolate(tracks, size=times, mode="linear")
    return (
        (noisy * weight).sum() / weight.sum().clamp(min=1)
        + 0.4 * (error * snr_weight).sum() / snr_weight.sum().clamp(min=1)
        + 0.25 * spoken
        + 0.5 * F.smooth_l1_loss(verdict.tracks / 10, tracks / 10)
    )


@torch.no_grad()
def validate(net: nn.Module, validation: list[Batch]) -> dict[str, float]:
    """Figures on the validation windows: loss, AUC over all and where someone speaks, SNR error, calibration.

    A loss of nan alone where a verdict is none.
    """
    net.eval()
    verdicts = [net(x, reference) for x, reference, _, _ in validation]
    verdict = Verdict(*(torch.cat(parts).float().cpu() for parts in zip(*verdicts, strict=True)))
    targets, tracks = (torch.cat([batch[i] for batch in validation]).cpu() for i in (2, 3))
    noise, snr, voice = verdict.noise, verdict.snr_db, verdict.voice
    if not all(torch.isfinite(said).all() for said in verdict):
        return {"loss": math.nan}
    weight, noisy, spoken = targets[:, NOISY_WEIGHT] == 1, targets[:, NOISY] == 1, targets[:, VOICE] == 1
    clean = targets[:, NOISY] == 0

    def band(low: float, high: float) -> float:
        inside = (targets[:, SNR] > low) & (targets[:, SNR] <= high)
        return roc_auc(noise[weight & clean & spoken], noise[weight & noisy & spoken & inside])

    sure = weight & (clean | noisy)
    scale, offset = calibration(noise[sure], noisy[sure])
    scored = (targets[:, SNR_WEIGHT] == 1) & (targets[:, SNR] >= 0) & (targets[:, SNR] <= 30)
    return {
        "loss": float(losses(verdict, targets, tracks)),
        "auc": roc_auc(noise[weight & clean], noise[weight & noisy]),
        "auc_speech": roc_auc(noise[weight & clean & spoken], noise[weight & noisy & spoken]),
        "snr_mae_db": float((snr - targets[:, SNR])[scored].abs().mean()),
        **{f"auc_{low}_{high}_db": band(low, high) for low, high in BANDS},
        "auc_voice": roc_auc(voice[~spoken], voice[spoken]),
        "scale": scale,
        "offset": offset,
    }


def train(
    data: Path,
    out: Path,
    options: Mapping[str, Any],
    *,
    recipe: Path | None = None,
    resume: bool = False,
    devices: int | None = None,
    cache: Path | None = None,
) -> Path | None:
    """Train a network on a manifest; returns the best checkpoint's path. `options`: fields of TrainConfig.

    Writes `last.pt`, `best.pt` and `log.csv` into the folder `out`. With resume=True a run that was stopped goes on
    from its last step, if there is one; its length, rate, workers and teachers may then be given anew. Several
    processes (devices, or torchrun) share each batch; all but the first return None. Windows that were drawn are
    kept in the folder `cache`, for the next run on the same data.

    Raises InputError for data that cannot teach, ModelError for a teacher that is none, OutputError for a folder
    that cannot be written, UsageError for options out of range, NoisewatchError when the loss is no longer a number
    or the memory is too small.
    """
    last = out / "last.pt"
    anew = resume and not last.exists()
    resume = resume and not anew
    if resume and recipe is not None:
        raise UsageError("a run that goes on keeps the recipe that it was begun with: leave out --recipe.")
    state = load_checkpoint(last) if resume else None
    config = resumed(state["config"], options) if state else configured(options, recipe)
    teachers = Teachers(config.teachers) if config.teachers else None
    if teachers and state and "teachers" not in options:
        _same(teachers, json.loads(state["data"]).get("teachers", []))
    fabric = _launched(config, devices)
    console = terminal.console(stderr=True, highlight=False, soft_wrap=True, quiet=not fabric.is_global_zero)
    if anew:
        console.print(f"no run in {out} yet: one begins", markup=False)
    if last.exists() and not resume:
        raise OutputError(f"{out} holds a run already. Go on with --resume, or name another folder with -o.")
    torch.manual_seed(config.seed)
    bare = NETS[config.net]()
    before = json.loads(state["data"]) if state else None
    if state is None and config.begin:
        before = begin_with(bare, config.net, config.begin)
    rows = read_manifest(data)
    if fabric.is_global_zero:
        with atomic_write(out / "config.json") as file:  # before anything long: the folder may be read-only
            json.dump(asdict(config), file, indent=1)
    fabric.barrier()
    catalogue, held_out = _loaded(rows, console)
    minutes = sum(len(r.samples) for r in catalogue.speech + catalogue.noise) / 16_000 / 60
    console.print(
        f"{config.net} on {len(catalogue.speech)} speech and {len(catalogue.noise)} noise recordings "
        f"({minutes:.0f} minutes), {len(catalogue.rooms)} rooms -> {out}",
        markup=False,
    )

    optimizer = torch.optim.AdamW(bare.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    step, best, waited, metrics = 0, -math.inf, 0, dict[str, float]()
    if state is not None:
        bare.load_state_dict(state["net"])
        step, best, waited, metrics = state["step"], state["best"], state["waited"], state["metrics"]
    net, optimizer = fabric.setup(bare, optimizer)
    if state is not None:
        try:
            optimizer.load_state_dict(state["optimizer"])  # after the weights have moved to their device
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise InputError(
                f"{last} is damaged: its optimizer does not fit its network ({type(error).__name__}). Begin "
                f"another run with its weights: --begin {out}"
            ) from error
    credits = data_card(rows)
    if before is not None:
        credits = merged(before, credits)
    if teachers:
        credits = taught(credits, teachers)

    def save(path: Path) -> None:
        values = {"config": asdict(config), "frontend": asdict(FrontendConfig()), "step": step, "best": best,
                  "waited": waited, "metrics": metrics, "data": json.dumps(credits)}  # fmt: skip
        tensors = {"net": bare.state_dict(), "optimizer": optimizer.state_dict()}
        if fabric.is_global_zero:
            save_checkpoint(path, values | tensors)

    judged = Windows(held_out, config.seed + VALIDATION_SEED, config.validation_batches * VALIDATION_BATCH, cache)
    fixed = batches(judged, VALIDATION_BATCH, 0, config.validation_batches, config.workers)
    validation = [fabric.to_device(b) for b in fixed]
    count = config.distinct or config.steps * config.batch
    windows = Windows(catalogue, config.seed, count, cache, teachers, config.trust)
    share = (fabric.global_rank, fabric.world_size)
    supply = batches(windows, config.batch, step, config.steps, config.workers, share)
    smooth = None
    with _Stop() as stop, _memory(config), _Progress(config, step, console) as progress:
        began, begun = time.monotonic(), step
        for batch in supply:
            if 0 < config.patience <= waited:
                console.print(f"no better for {waited} epochs: stopped")
                break
            for group in optimizer.param_groups:
                group["lr"] = config.rate(step)
            net.train()
            x, reference, targets, tracks = fabric.to_device(batch)
            if config.vary:
                x = varied(x, config.vary, hash((config.seed, step, fabric.global_rank)))
            loss = losses(net(x, reference), targets, tracks)
            # What one process sees, all have to act on.
            value = float(cast(Tensor, fabric.all_reduce(loss.detach())))
            code = torch.tensor(float(stop.code or 0), device=loss.device)
            stopping = int(cast(Tensor, fabric.all_reduce(code, reduce_op="max")))
            if not math.isfinite(value):
                first = step * config.batch + fabric.global_rank * len(x)
                raise _diverged(
                    f"the loss is {value} at step {step}, {_suspects(batch, windows, first)}", out, config
                )
            optimizer.zero_grad()
            fabric.backward(loss)
            # In half precision the scaler expects to meet infinite gradients, and skips their step.
            fabric.clip_gradients(net, optimizer, max_norm=5.0, error_if_nonfinite=False)
            optimizer.step()
            step += 1
            smooth = value if smooth is None else 0.98 * smooth + 0.02 * value
            progress.show(step, smooth, best)
            if step % config.steps_per_epoch == 0:
                speed = (step - begun) * config.batch / (time.monotonic() - began)
                metrics = fabric.broadcast(validate(bare, validation) if fabric.is_global_zero else {})
                if not math.isfinite(metrics["loss"]):
                    raise _diverged(
                        f"the verdicts on the validation windows are no numbers at step {step}", out, config
                    )
                waited = waited + 1
                if merit(metrics) > best:
                    best, waited = merit(metrics), 0
                    save(out / "best.pt")
                save(last)
                epoch = step // config.steps_per_epoch
                shown = {"epoch": epoch, "step": step, "rate": config.rate(step), "windows_per_s": speed}
                if fabric.is_global_zero:
                    _log(out / "log.csv", {**shown, "train_loss": smooth, **metrics})
                console.print(
                    f"epoch {epoch}: loss {smooth:.3f}, on other voices and noises AUC {metrics['auc']:.4f}, "
                    f"with speech {metrics['auc_speech']:.4f}, SNR within {metrics['snr_mae_db']:.1f} dB, "
                    f"{speed:.0f} windows a second"
                )
                began, begun = time.monotonic(), step
            if stopping:
                save(last)
                progress.stop()
                console.print(f"stopped at step {step} of {config.steps}; go on with: "
                              f"noisewatch train {data} -o {out} --resume", markup=False)  # fmt: skip
                raise SystemExit(stopping)
    return out / "best.pt" if fabric.is_global_zero else None


class _FloatInput(MixedPrecision):
    """Half precision inside the network, but not for what it is given: the normaliser needs the decibels."""

    def convert_input(self, data: Any) -> Any:
        return data


def _launched(config: TrainConfig, devices: int | None) -> Fabric:
    """The processes and devices that share a batch; under torchrun as many as it started."""
    local, nodes = 1, 1
    if "LOCAL_WORLD_SIZE" in os.environ:  # torchrun's; processes that Fabric starts itself know WORLD_SIZE alone
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = max(1, int(os.environ.get("WORLD_SIZE", local)) // local)
    plugins: list[Any] = []
    if (precision := PRECISIONS[config.precision]) is not None:
        plugins = [_FloatInput(precision, "cuda" if torch.cuda.is_available() else "cpu")]
    try:
        fabric = Fabric(accelerator="auto", devices=devices or local, num_nodes=nodes, plugins=plugins)
        fabric.launch()
    except (RuntimeError, ValueError) as error:  # Fabric's MisconfigurationException among them
        raise UsageError(f"{devices or local} devices cannot be used here: {error}") from error
    if config.batch % fabric.world_size or config.batch // fabric.world_size < 2:
        raise UsageError(
            f"a batch of {config.batch} cannot be shared by {fabric.world_size} processes; "
            f"allowed: multiples of {fabric.world_size}, from {2 * fabric.world_size}."
        )
    # The workers need cores too; with more threads than cores, the threads wait for each other.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // (devices or local) - config.workers))
    return fabric


def _loaded(rows: Sequence[Row], console: Console) -> tuple[Catalogue, Catalogue]:
    """The recordings to learn from and to validate on; what was left out is said."""
    catalogue, skipped = Catalogue.load(rows, "train")
    held_out, more = Catalogue.load(rows, "val")
    for sentence in (skipped + more)[:10]:
        console.print(f"left out: {sentence}", markup=False)
    if len(skipped + more) > 10:
        console.print(f"left out: {len(skipped + more) - 10} more")
    return catalogue, held_out


def _same(teachers: Teachers, before: Sequence[str]) -> None:
    """Raise UsageError when a teacher is another file than when the run began."""
    for told in teachers.known_as:
        if told not in before:
            raise UsageError(
                f"the teacher {told} is not one that the run was begun with ({', '.join(before)}). Name the "
                "teachers that it shall go on with by --teach."
            )


def _diverged(said: str, out: Path, config: TrainConfig) -> NoisewatchError:
    """A run that has no numbers any more: what is kept of it, and what to do."""
    kept = f"The last good checkpoint is kept in {out}: " if (out / "last.pt").exists() else ""
    return NoisewatchError(
        f"{said}. {kept}{'go on with --resume' if kept else 'Begin again'}, and try a lower --lr than {config.lr}."
    )


def _suspects(batch: Batch, windows: Windows, first: int) -> str:
    """What is wrong with a batch whose first window has that number: its recordings, or not the data."""
    for place, parts in enumerate(zip(*batch, strict=True)):
        if not all(torch.isfinite(part).all() for part in parts):
            used = ", ".join(windows.recordings(first + place)) or "generated noise alone"
            return f"by a window of {used}: leave those files out"
    return "though every window of the batch is made of numbers"


@contextmanager
def _memory(config: TrainConfig) -> Iterator[None]:
    """Memory that runs out is a sentence."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said:
            raise NoisewatchError(
                f"the memory is too small for {config.net} with {config.batch} windows a step. "
                f"Try --batch {max(2, config.batch // 2)}, or fewer --workers than {config.workers}."
            ) from error
        raise


class _Progress(Progress):
    """Epoch, loss, rate, time left."""

    def __init__(self, config: TrainConfig, step: int, console: Console) -> None:
        super().__init__(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  rate {task.fields[rate]:.1e}  best {task.fields[best]:.4f}"),
            TimeRemainingColumn(),
            console=console,
            disable=console.quiet,
        )
        self._config = config
        start: dict[str, Any] = {"epoch": 1, "epochs": config.epochs, "loss": 0.0, "rate": 0.0, "best": 0.0}
        self._task = self.add_task("", total=config.steps, completed=step, **start)

    def show(self, step: int, loss: float, best: float) -> None:
        """After a step."""
        epoch = -(-step // self._config.steps_per_epoch)
        rate = self._config.rate(step)
        self.update(self._task, completed=step, epoch=epoch, loss=loss, rate=rate, best=max(best, 0.0))


def merit(metrics: dict[str, float]) -> float:
    """What the best checkpoint is chosen by: verdicts with a voice and verdicts over everything count alike."""
    values = [metrics["auc"], metrics["auc_speech"]]
    return float(np.nanmean(values)) if not np.isnan(values).all() else -1.0


def _log(path: Path, values: dict[str, Any]) -> None:
    try:
        new = not path.exists()
        with path.open("a", newline="") as file:
            table = Rows(file, ["utc", *values])
            if new:
                table.header()
            rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
            table.row({"utc": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **rounded})
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}.") from error


class _Stop:
    """Ctrl-C and SIGTERM wait for the end of the step, so that what is saved is whole; twice: at once."""

    def __enter__(self) -> _Stop:
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
