"""The training loop: draw windows, step, validate on other voices and noises, keep the best."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.errors import InputError, NoisewatchError, OutputError, UsageError
from noisewatch.frontend import FrontendConfig
from noisewatch.model import DEFAULT
from noisewatch.sinks import atomic_write

from .dataset import NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, VOICE, Batch, Windows, batches
from .manifest import Row, read_manifest
from .mixing import Catalogue
from .nets import NETS
from .nets.head import LEAST_DB, Verdict
from .scores import calibration, roc_auc

VALIDATION_SEED = 1_000_003  # added to the run's seed: validation windows are nobody's training windows
VALIDATION_BATCH = 128


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a run depends on beside its data. Stored in the checkpoint."""

    net: str = DEFAULT
    epochs: int = 20
    windows: int = 16_000  # per epoch
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05  # share of the run
    seed: int = 0
    workers: int = 2

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in an epoch, one at least."""
        return max(1, self.windows // self.batch)

    @property
    def validation_batches(self) -> int:
        """Batches of 128 windows that each epoch is judged on: an eighth of its windows, 2048 at most."""
        return min(16, max(1, self.windows // 1024))

    @property
    def steps(self) -> int:
        """Optimiser steps in the run."""
        return self.epochs * self.steps_per_epoch

    def rate(self, step: int) -> float:
        """Learning rate at a step: linear warm-up, then half a cosine down to 1 %."""
        warm = max(1, int(self.warmup * self.steps))
        if step < warm:
            return self.lr * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return self.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def losses(verdict: Verdict, targets: Tensor, tracks: Tensor) -> Tensor:
    """Weighted mean loss of a batch: noise and voice (cross-entropy), SNR and levels over time (Huber).

    targets (B, 5) and tracks (B, 2, T) as `dataset` lays them out. Windows of weight 0 do not count; levels
    count down to 45 dB under the loud part of the window.
    """
    weight, snr_weight = targets[:, NOISY_WEIGHT], targets[:, SNR_WEIGHT]
    noisy = F.binary_cross_entropy_with_logits(verdict.noise, targets[:, NOISY], reduction="none")
    error = F.smooth_l1_loss(verdict.snr_db / 5, targets[:, SNR].clamp(-10, 45) / 5, reduction="none")
    spoken = F.binary_cross_entropy_with_logits(verdict.voice, targets[:, VOICE])
    tracks = F.adaptive_avg_pool1d(tracks.clamp(min=LEAST_DB), verdict.tracks.shape[2])
    return (
        (noisy * weight).sum() / weight.sum().clamp(min=1)
        + 0.4 * (error * snr_weight).sum() / snr_weight.sum().clamp(min=1)
        + 0.25 * spoken
        + 0.5 * F.smooth_l1_loss(verdict.tracks / 10, tracks / 10)
    )


@torch.no_grad()
def validate(net: nn.Module, validation: list[Batch]) -> dict[str, float]:
    """Figures on the validation windows: loss, AUC over all and where someone speaks, SNR error, calibration."""
    net.eval()
    verdicts = [net(x, reference) for x, reference, _, _ in validation]
    verdict = Verdict(*(torch.cat(parts).float().cpu() for parts in zip(*verdicts, strict=True)))
    targets, tracks = (torch.cat([batch[i] for batch in validation]).cpu() for i in (2, 3))
    noise, snr, voice = verdict.noise, verdict.snr_db, verdict.voice
    weight, noisy, spoken = targets[:, NOISY_WEIGHT] == 1, targets[:, NOISY] == 1, targets[:, VOICE] == 1
    clean = targets[:, NOISY] == 0
    sure = weight & (clean | noisy)
    scale, offset = calibration(noise[sure], noisy[sure])
    scored = (targets[:, SNR_WEIGHT] == 1) & (targets[:, SNR] >= 0) & (targets[:, SNR] <= 30)
    return {
        "loss": float(losses(verdict, targets, tracks)),
        "auc": roc_auc(noise[weight & clean], noise[weight & noisy]),
        "auc_speech": roc_auc(noise[weight & clean & spoken], noise[weight & noisy & spoken]),
        "snr_mae_db": float((snr - targets[:, SNR])[scored].abs().mean()),
        "auc_voice": roc_auc(voice[~spoken], voice[spoken]),
        "scale": scale,
        "offset": offset,
    }


def train(data: Path, out: Path, options: Mapping[str, Any], *, resume: bool = False) -> Path:
    """Train a network on a manifest; returns the best checkpoint's path. `options`: fields of TrainConfig.

    Writes `last.pt`, `best.pt` and `log.csv` into the folder `out`. A run stopped by Ctrl-C goes on from
    its last step with resume=True; its length, rate and workers may then be given anew. Raises InputError
    for data that cannot teach, OutputError for a folder that cannot be written, UsageError for options out
    of range, NoisewatchError when the loss is no longer a number.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    last = out / "last.pt"
    if last.exists() and not resume:
        raise OutputError(f"{out} holds a run already. Go on with --resume, or name another folder with -o.")
    state = load_checkpoint(last) if resume else None
    config = resumed(state["config"], options) if state else TrainConfig(**options)
    if config.net not in NETS:
        raise UsageError(f"no network is called {config.net!r}; there are: {', '.join(NETS)}.")
    if not 0 < config.lr < 1:
        raise UsageError(f"the learning rate is {config.lr}; allowed: above 0 and below 1. 0.003 suits most.")
    rows = read_manifest(data)
    with atomic_write(out / "config.json") as file:  # before anything long: the folder may be read-only
        json.dump(asdict(config), file, indent=1)
    catalogue, skipped = Catalogue.load(rows, "train")
    held_out, more = Catalogue.load(rows, "val")
    for sentence in (skipped + more)[:10]:
        console.print(f"left out: {sentence}", markup=False)
    if len(skipped + more) > 10:
        console.print(f"left out: {len(skipped + more) - 10} more")
    minutes = sum(len(r.samples) for r in catalogue.speech + catalogue.noise) / 16_000 / 60
    console.print(
        f"{config.net} on {len(catalogue.speech)} speech and {len(catalogue.noise)} noise recordings "
        f"({minutes:.0f} minutes), {len(catalogue.rooms)} rooms -> {out}",
        markup=False,
    )

    torch.manual_seed(config.seed)
    # The workers need cores too; with more threads than cores, the threads wait for each other.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) - config.workers))
    fabric = Fabric(accelerator="auto", devices=1)
    fabric.launch()
    bare = NETS[config.net]()
    optimizer = torch.optim.AdamW(bare.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    step, best = 0, -math.inf
    if state is not None:
        bare.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        step, best = state["step"], state["best"]
    net, optimizer = fabric.setup(bare, optimizer)
    credits = json.dumps(data_card(rows))

    def save(path: Path, metrics: dict[str, float]) -> None:
        values = {"config": asdict(config), "frontend": asdict(FrontendConfig()), "step": step, "best": best,
                  "metrics": metrics, "data": credits}  # fmt: skip
        tensors = {"net": bare.state_dict(), "optimizer": optimizer.state_dict()}
        save_checkpoint(path, values | tensors)

    judged = Windows(held_out, config.seed + VALIDATION_SEED, config.validation_batches * VALIDATION_BATCH)
    fixed = batches(judged, VALIDATION_BATCH, 0, config.validation_batches, config.workers)
    validation = [fabric.to_device(b) for b in fixed]
    windows = Windows(catalogue, config.seed, config.steps * config.batch)
    supply = batches(windows, config.batch, step, config.steps, config.workers)
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  rate {task.fields[rate]:.1e}  best {task.fields[best]:.4f}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with _Stop() as stop, Progress(*columns, console=console) as progress:
        shown: dict[str, Any] = {
            "epoch": 1,
            "epochs": config.epochs,
            "loss": 0.0,
            "rate": 0.0,
            "best": max(best, 0.0),
        }
        task = progress.add_task("", total=config.steps, completed=step, **shown)
        smooth = None
        for batch in supply:
            for group in optimizer.param_groups:
                group["lr"] = config.rate(step)
            net.train()
            x, reference, targets, tracks = fabric.to_device(batch)
            loss = losses(net(x, reference), targets, tracks)
            if not torch.isfinite(loss):
                raise NoisewatchError(
                    f"the loss is {loss.item()} at step {step}; the last good checkpoint is kept in {out}. "
                    f"Go on with --resume and a lower --lr than {config.lr}."
                )
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(net, optimizer, max_norm=5.0)
            optimizer.step()
            step += 1
            smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
            epoch = -(-step // config.steps_per_epoch)
            shown = {"epoch": epoch, "loss": smooth, "rate": config.rate(step), "best": max(best, 0.0)}
            progress.update(task, completed=step, **shown)
            if step % config.steps_per_epoch == 0:
                metrics = validate(net, validation)
                if merit(metrics) > best:
                    best = merit(metrics)
                    save(out / "best.pt", metrics)
                save(last, metrics)
                _log(out / "log.csv", {"epoch": epoch, "step": step, "train_loss": smooth, **metrics})
                progress.console.print(
                    f"epoch {epoch}: loss {smooth:.3f}, on other voices and noises AUC {metrics['auc']:.4f}, "
                    f"with speech {metrics['auc_speech']:.4f}, SNR within {metrics['snr_mae_db']:.1f} dB"
                )
            if stop.code is not None:
                save(last, {})
                progress.stop()
                console.print(f"stopped at step {step} of {config.steps}; go on with: "
                              f"noisewatch train {data} -o {out} --resume", markup=False)  # fmt: skip
                raise SystemExit(stop.code)
    return out / "best.pt"


def resumed(stored: Mapping[str, Any], options: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a run that goes on: what shaped it stays, length, rate and workers may change."""
    for key, value in options.items():
        if key not in ("epochs", "lr", "workers") and stored[key] != value:
            raise UsageError(f"the run was begun with {key} {stored[key]}, not {value}: that stays. Leave it out.")
    return replace(TrainConfig(**stored), **options)


def merit(metrics: dict[str, float]) -> float:
    """What the best checkpoint is chosen by: verdicts with a voice and verdicts over everything count alike."""
    values = [metrics["auc"], metrics["auc_speech"]]
    return float(np.nanmean(values)) if not np.isnan(values).all() else -1.0


def data_card(rows: list[Row]) -> dict[str, Any]:
    """What the weights learned from: sources, minutes, licences, and whether all of it may be shipped."""
    used = [r for r in rows if r.split == "train"]
    sources = [
        {
            "kind": kind,
            "source": source,
            "minutes": round(sum(r.seconds for r in used if (r.kind, r.source) == (kind, source)) / 60, 1),
            "licence": "; ".join(sorted({r.licence for r in used if (r.kind, r.source) == (kind, source)})),
        }
        for kind, source in sorted({(r.kind, r.source) for r in used})
    ]
    return {
        "sources": sources,
        "shippable": all(r.ship == "yes" for r in rows if r.split in ("train", "val")),
    }


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Tensors and plain values only, complete or not at all."""
    with atomic_write(path, "wb") as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint written by `train`. Runs no code from it. Raises InputError when it is none."""
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}. `noisewatch train DATA -o {path.parent}` makes one.")
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        frontend, _, _ = state["frontend"], TrainConfig(**state["config"]), state["net"]
    except Exception as error:  # torch raises whatever the bytes make it
        raise InputError(
            f"{path} is no checkpoint of this version of noisewatch ({type(error).__name__})."
        ) from error
    if frontend != asdict(FrontendConfig()):
        raise InputError(f"{path} was trained on another front end: {frontend}. Train again.")
    return state


def _log(path: Path, values: dict[str, Any]) -> None:
    try:
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, ["utc", *values])
            if new:
                writer.writeheader()
            rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
            writer.writerow({"utc": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **rounded})
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


def newest_run(checkpoint: str, folder: Path = Path("runs")) -> Path:
    """The run under `folder` with the newest `last.pt` or `best.pt`; raises InputError when there is none."""
    found = sorted(folder.glob(f"*/{checkpoint}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise InputError(f"no run with a {checkpoint} under {folder}/. `noisewatch train` makes one, or name it.")
    return found[-1].parent


def new_run(folder: Path = Path("runs")) -> Path:
    """A folder for a run that nobody named: its date and time."""
    return folder / f"{datetime.now():%Y-%m-%d_%H%M%S}"
