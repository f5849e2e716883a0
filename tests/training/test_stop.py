"""Signals that end a training run, wherever they arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import processes_with, wait_for
from runs import SMALLEST, logged
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from noisewatch.corpus import catalogue as catalogues
from noisewatch.training import fit
from noisewatch.training.run import Run
from noisewatch.training.stop import Stop
from noisewatch.training.window_cache import WindowCache


class _Finalized:
    """Receives a signal in its `__del__`, where Python discards an exception."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)
        signal.raise_signal(self.number)  # as `timeout` does, which signals the process and its group


MOMENTS: dict[str, tuple[Any, str, int]] = {
    "set-up": (fit, "set_up", 0),
    "recordings load": (catalogues, "load_audio", 0),
    "workers start": (_MultiProcessingDataLoaderIter, "__init__", 0),
    "workers end": (_MultiProcessingDataLoaderIter, "_shutdown_workers", 0),
    "a step": (fit, "train_step", 1),
    "the cache is written": (WindowCache, "__setitem__", 0),
    "validation": (fit, "validate", 2),
    "a checkpoint is saved": (Run, "save", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_is_never_lost(
    toy_set: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    moment: str,
):
    owner, name, steps = MOMENTS[moment]
    original: Callable[..., Any] = getattr(owner, name)
    number = signal.SIGTERM if moment == "validation" else signal.SIGINT
    sent = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if not sent:
            sent.append(number)
            _Finalized(number)
        return original(*args, **kwargs)

    folder = tmp_path / "run"
    options = SMALLEST | {"epochs": 2, "windows": 8, "batch": 4, "workers": int(moment.startswith("workers"))}
    monkeypatch.setattr(fit, "VALIDATION_BATCH", 16)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(SystemExit) as ended:
            fit.fit(toy_set, folder, options, cache=tmp_path if "cache" in moment else cache)
    assert sent
    assert ended.value.code == 128 + number
    err = capsys.readouterr().err
    assert f"stopped at step {steps} of 4; to continue: noisewatch train {toy_set} -o {folder} --resume" in err
    assert "Exception ignored" not in err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = fit.fit(toy_set, folder, {"workers": 0}, resume=True, cache=cache)
    assert done == folder / "best.pt"
    assert [row["epoch"] for row in logged(folder)] == ["1", "2"]


def test_a_second_signal_interrupts_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("noisewatch.training.stop.REPEAT_S", 0.0)
    with Stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.code == 143
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_run(toy_set: Path, tmp_path: Path, number: int):
    marker = f"marker-{tmp_path}"
    options = ["--net", "dense", "--windows", "100000", "--workers", "2", "-o", str(tmp_path / "run")]
    command = [sys.executable, "-m", "noisewatch", "train", str(toy_set), *options]

    with subprocess.Popen(command, env={**os.environ, "NW_MARKER": marker}, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(processes_with(marker)) >= 3, 120)  # the command and two workers
        process.send_signal(number)
    wait_for(lambda: not processes_with(marker), 2)  # PyTorch's own check takes five seconds
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGKILL)
