"""Export of a trained network to one ONNX file with its card, once ONNX Runtime and torch agree on its outputs."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from noisewatch.audio.logmel import FrontendConfig, LogMel
from noisewatch.audio.signal import WINDOW, WINDOW_S
from noisewatch.core.card import METADATA_KEY, Card
from noisewatch.core.detector import DetectorConfig
from noisewatch.core.model import INPUTS, OUTPUTS, WIDTH, Model
from noisewatch.corpus.manifest import load_audio
from noisewatch.errors import InputError, ParityError, UsageError
from noisewatch.system.files import atomic_write
from noisewatch.ui import terminal
from noisewatch.version import __version__

from .checkpoint import best_of, load_checkpoint, newest_run
from .nets import NETS
from .nets.head import Verdict
from .profile import macs, parameters

TOLERANCE = 1e-4
PARITY_WINDOWS = 64
HALVED = 1024  # weights with at least so many values are rounded to half precision, which halves the file


def export(run: Path | None, out: Path | None, *, threshold: float = 0.5, licence: str = "") -> Path:
    """Write the best weights of a run (a folder, a checkpoint, or the newest run) as ONNX; returns the path.

    Raises ParityError, and writes nothing, when ONNX Runtime and torch differ by more than 1e-4 on log-Mel
    windows; InputError for a file that is not a checkpoint, OutputError for a place that cannot be written.
    """
    run = newest_run("best.pt") if run is None else run
    checkpoint = best_of(run)
    state = load_checkpoint(checkpoint)
    net_name = state["config"]["net"]
    out = checkpoint.with_name(f"{net_name}.onnx") if out is None else out
    if out.suffix != ".onnx":
        raise UsageError(f"{out} does not end in .onnx. Rename it: `listen --model` accepts no other files.")
    if "scale" not in state["metrics"]:
        raise InputError(
            f"{checkpoint} has not been validated yet, so it is not calibrated. Continue the run with --resume."
        )
    metrics = {k: round(v, 4) for k, v in state["metrics"].items()}
    net = Judge(trained(state), metrics["scale"]).eval()
    card = card_of(out.stem, net, state, metrics, threshold, licence)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        _write(net, card, draft)
        largest = parity(net, Model(draft))
        agreement = f"ONNX Runtime and torch differ by {largest:.1e} at most over {PARITY_WINDOWS} windows"
        if not largest <= TOLERANCE:
            raise ParityError(f"{agreement}; allowed: {TOLERANCE:.0e}. Nothing was written.")
        with atomic_write(out, "wb") as file:
            file.write(draft.read_bytes())
    size = out.stat().st_size / 1024
    terminal.console(stderr=True).print(f"{agreement} (allowed: {TOLERANCE:.0e}); {size:.0f} KiB", highlight=False)
    return out


def card_of(
    name: str, net: Judge, state: dict[str, Any], metrics: dict[str, float], threshold: float, licence: str
) -> Card:
    """The card of a network from the checkpoint that holds its weights."""
    data = json.loads(state["data"])
    return Card(
        name=name,
        version=__version__,
        window_s=WINDOW_S,
        hop_s=0.1,
        threshold=DetectorConfig(threshold).threshold,
        frontend=FrontendConfig.stored(state["frontend"]),
        licence=licence,
        trained_on=data["sources"],
        shippable=data["shippable"],
        training={
            **state["config"],
            "steps": state["step"],
            "teachers": data.get("teachers", []),
            "init_from": data.get("init_from", []),
        },
        metrics=metrics,
        parameters=parameters(net),
        macs=macs(net),
        created=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def trained(state: dict[str, Any]) -> nn.Module:
    """The network of a checkpoint in evaluation mode, large weights rounded to half precision as in the file."""
    net = NETS[state["config"]["net"]]()
    net.load_state_dict(state["net"])
    with torch.no_grad():
        for weight in net.parameters():
            if weight.numel() >= HALVED:
                weight.copy_(weight.half())
    return net.eval()


class Judge(nn.Module):
    """A network with the outputs of a model file: calibrated, and without level tracks."""

    def __init__(self, net: nn.Module, scale: float) -> None:
        super().__init__()
        self.net, self.scale = net, scale

    def forward(self, logmel: Tensor, reference: Tensor) -> tuple[Tensor, ...]:
        verdict: Verdict = self.net(logmel, reference).scaled(self.scale)
        return verdict.noise, verdict.snr_db, verdict.voice, verdict.snr_width_db


def _write(net: Judge, card: Card, path: Path) -> None:
    example = (torch.zeros(1, card.frames, card.frontend.n_mels), torch.zeros(1))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its deprecation
        torch.onnx.export(
            net, example, str(path), input_names=list(INPUTS), output_names=[*OUTPUTS, WIDTH], opset_version=17,
            dynamo=False,
            # The runtime folds batch norms into the weights when it loads them, and in single precision.
            training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
    model = halved(onnx.load(path))
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large tensors in half precision where that is exact: the loaded network is the same.

    Weights qualify because `trained` rounds them; batch-norm statistics do not, and may exceed the range.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALVED:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if (half == values).all():
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    return model


def parity(net: Judge, model: Model) -> float:
    """The largest relative difference of any output over many windows; absolute for outputs below 1."""
    windows = list(parity_windows())
    by_onnx = np.array([model(logmel, reference, model.initial_state())[0] for logmel, reference in windows])
    loader: DataLoader[Any] = DataLoader(windows, batch_size=16)  # type: ignore[arg-type]
    with torch.no_grad():
        by_torch = torch.cat([torch.stack(net(x, reference.float()), 1) for x, reference in loader]).numpy()
    return float((np.abs(by_onnx - by_torch) / np.maximum(1, np.abs(by_torch))).max())  # both (64, 4)


def parity_windows() -> Iterator[tuple[NDArray[np.float32], float]]:
    """Log-Mel windows (298, 40) of the voice and the noises of the demo clip at many gains, with references."""
    clip = load_audio(Path(str(resources.files("noisewatch") / "demo.flac")))
    rng = np.random.default_rng(0)
    for _ in range(PARITY_WINDOWS):
        start = int(rng.integers(0, len(clip) - WINDOW))
        gain = np.float32(10 ** (rng.uniform(-50, 10) / 20))
        yield LogMel().feed(clip[start : start + WINDOW] * gain), float(rng.uniform(-45, -10))
