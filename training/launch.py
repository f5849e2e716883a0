"""Devices, processes and precision of a run, through Lightning Fabric."""

from __future__ import annotations

import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from noisewatch.errors import UsageError

from .config import PRECISIONS, TrainConfig


class _FloatInput(MixedPrecision):
    """Mixed precision inside the network, inputs in single precision: the normaliser needs their resolution."""

    def convert_input(self, data: Any) -> Any:
        return data


def launched(config: TrainConfig, devices: int | None) -> Fabric:
    """The processes and devices that share a batch; under torchrun as many as it started. Raises UsageError."""
    local, nodes = 1, 1
    if "LOCAL_WORLD_SIZE" in os.environ:  # set by torchrun; Fabric's own processes only have WORLD_SIZE
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = max(1, int(os.environ.get("WORLD_SIZE", local)) // local)
    check_shares(config.batch, (devices or local) * nodes)
    plugins: list[Any] = []
    if (precision := PRECISIONS[config.precision]) is not None:
        plugins = [_FloatInput(precision, "cuda" if torch.cuda.is_available() else "cpu")]
    try:
        fabric = Fabric(accelerator="auto", devices=devices or local, num_nodes=nodes, plugins=plugins)
        fabric.launch()
    except (RuntimeError, ValueError) as error:  # Fabric's MisconfigurationException among them
        raise UsageError(f"{devices or local} devices cannot be used here: {error}") from error
    # oneDNN's GEMM convolution, which dense uses, corrupts the heap in torch 2.11 on AVX-512: in one run of five
    # training aborted with "corrupted size vs. prev_size" in sgemm_nocopy_driver.
    torch.backends.mkldnn.set_flags(config.net != "dense")  # type: ignore[no-untyped-call]
    # Workers need cores too, and more threads than cores would wait for each other.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // (devices or local) - config.workers))
    return fabric


def check_shares(batch: int, processes: int) -> None:
    """Raise UsageError unless every process gets the same share of a batch, of two windows or more."""
    if batch % processes or batch // processes < 2:
        raise UsageError(
            f"a batch of {batch} cannot be shared by {processes} processes; "
            f"allowed: multiples of {processes}, from {2 * processes}."
        )
