"""Export of a trained network to one ONNX file with its card, once ONNX Runtime and torch agree on its outputs."""

from __future__ import annotations

import json
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from noisewatch.audio.front_end import FrontEnd as FrontEndOfRuntime
from noisewatch.audio.logmel import FrontendConfig, LogMel
from noisewatch.audio.signal import SAMPLE_RATE, WINDOW, WINDOW_S
from noisewatch.core.card import METADATA_KEY, Card
from noisewatch.core.detector import LEAD_S, TRAIL_S, DetectorConfig
from noisewatch.core.model import INPUTS, OUTPUTS, STATE, STREAMING_OUTPUTS, WIDTH, Model, Output
from noisewatch.corpus.manifest import load_audio
from noisewatch.errors import InputError, ParityError, UsageError
from noisewatch.system.files import atomic_write
from noisewatch.ui import terminal
from noisewatch.version import __version__

from .checkpoint import best_of, load_checkpoint, newest_run
from .nets import NETS
from .nets.head import Verdict
from .nets.stcn import HOP, STCN, Carry
from .profile import macs, parameters
from .waveform import NUMBERS, FrontEnd

TOLERANCE = 1e-4
WAVEFORM_TOLERANCE, WAVEFORM_MINUTES = 1e-3, 60.0
PARITY_WINDOWS = 64
STEP_S = HOP / 100
# Medians over 28 noises in the validation streams, at a hop of 0.1 s, less half a hop.
STREAMING_LEAD_S, STREAMING_TRAIL_S = 0.35, 0.45
HALVED = 1024  # weights with at least so many values are rounded to half precision, which halves the file


def export(
    run: Path | None,
    out: Path | None,
    *,
    threshold: float = 0.5,
    licence: str = "",
    with_frontend: bool = False,
) -> Path:
    """Write the best weights of a run (a folder, a checkpoint, or the newest run) as ONNX; returns the path.

    with_frontend: the file takes a waveform, for other programs; only for a streaming network.
    Raises ParityError, and writes nothing, when ONNX Runtime and torch differ by more than 1e-4 on log-Mel windows,
    or probabilities with the front end in the file by more than 1e-3 from the runtime's; InputError for a file that
    is not a checkpoint, UsageError for a network that cannot have a front end, OutputError for a place that cannot
    be written.
    """
    run = newest_run("best.pt") if run is None else run
    checkpoint = best_of(run)
    state = load_checkpoint(checkpoint)
    net_name = state["config"]["net"]
    bare = trained(state)
    if with_frontend and not isinstance(bare, STCN):
        raise UsageError(
            f"{net_name} judges whole windows, so it cannot take a waveform as it comes. Leave --with-frontend "
            "out, or train a streaming network: --net stcn."
        )
    if with_frontend and not state["frontend"].get("highpass_hz"):
        raise UsageError(f"{checkpoint} is older than the high-pass of the front end. Train it again.")
    kind = "-waveform" if with_frontend else ""
    out = checkpoint.with_name(f"{net_name}{kind}.onnx") if out is None else out
    if out.suffix != ".onnx":
        raise UsageError(f"{out} does not end in .onnx. Rename it: `listen --model` accepts no other files.")
    if "scale" not in state["metrics"]:
        raise InputError(
            f"{checkpoint} has not been validated yet, so it is not calibrated. Continue the run with --resume."
        )
    metrics = {k: round(v, 4) for k, v in state["metrics"].items()}
    net = Judge(bare, metrics["scale"]).eval()
    card = card_of(out.stem, net, state, metrics, threshold, licence)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        _write(net, card, draft)
        model = Model(draft)
        largest, over = parity(net, model), f"{PARITY_WINDOWS} windows"
        if model.step:
            largest = max(largest, streaming_parity(net, model))
            over += " and a stream in calls of any length"
        agreement = f"ONNX Runtime and torch differ by {largest:.1e} at most over {over}"
        if not largest <= TOLERANCE:
            raise ParityError(f"{agreement}; allowed: {TOLERANCE:.0e}. Nothing was written.")
        if with_frontend:
            listening = Path(folder) / "waveform.onnx"
            _write_waveform(net, replace(card, waveform=True), listening)
            apart = waveform_parity(listening, model)
            with_it = f"with the front end, probabilities differ from the runtime's by {apart:.1e} at most"
            if not apart <= WAVEFORM_TOLERANCE:
                raise ParityError(f"{with_it}; allowed: {WAVEFORM_TOLERANCE:.0e}. Nothing was written.")
            agreement = f"{with_it} (allowed: {WAVEFORM_TOLERANCE:.0e}); {agreement}"
            draft = listening
        with atomic_write(out, "wb") as file:
            file.write(draft.read_bytes())
    size = out.stat().st_size / 1024
    terminal.console(stderr=True).print(f"{agreement} (allowed: {TOLERANCE:.0e}); {size:.0f} KiB", highlight=False)
    return out


def card_of(
    name: str, net: Judge, state: dict[str, Any], metrics: dict[str, float], threshold: float, licence: str
) -> Card:
    """The card of a network from the checkpoint that holds its weights."""
    data, streams = json.loads(state["data"]), isinstance(net.net, STCN)
    return Card(
        name=name,
        version=__version__,
        window_s=WINDOW_S,
        hop_s=0.1,
        threshold=DetectorConfig(threshold).threshold,
        step_s=STEP_S if streams else 0.0,
        lead_s=STREAMING_LEAD_S if streams else LEAD_S,
        trail_s=STREAMING_TRAIL_S if streams else TRAIL_S,
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
        macs=macs(net.net),
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
        return self.outputs(self.net(logmel, reference))

    def outputs(self, verdict: Verdict) -> tuple[Tensor, ...]:
        """The outputs of a model file without the state, in the order of `STREAMING_OUTPUTS`."""
        v = verdict.scaled(self.scale)
        more = () if v.now is None else (v.now, v.voice_dbfs, v.kind)
        return v.noise, v.snr_db, v.voice, v.snr_width_db, *more


class Steps(nn.Module):
    """A streaming network as its model file has it: with a state, and any number of steps a call."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge, self.plan = judge, cast(STCN, judge.net).plan
        self.numbers = sum(math.prod(shape) * sum(counts) for shape, counts in self.plan.items())

    def forward(self, logmel: Tensor, reference: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        carry = Carry(self.plan, state)
        verdict = cast(STCN, self.judge.net).judge(logmel, reference, carry)
        return *self.judge.outputs(verdict), carry.new_state


def _write(net: Judge, card: Card, path: Path) -> None:
    mels = card.frontend.n_mels
    inputs: tuple[Tensor, ...] = (torch.zeros(1, card.frames, mels), torch.zeros(1))
    module: nn.Module = net
    axes: dict[str, dict[int, str]] = {}
    names, outputs = list(INPUTS), [*OUTPUTS, WIDTH]
    if card.step:
        module = steps = Steps(net)
        inputs = (torch.zeros(1, 2 * card.step, mels), torch.zeros(1), torch.zeros(1, steps.numbers))
        names, outputs = [*names, STATE], list(STREAMING_OUTPUTS)
        axes = {"logmel": {0: "streams", 1: "frames"}, "reference": {0: "streams"}, STATE: {0: "streams"}}
        axes |= {name: {0: "steps"} for name in outputs[:-1]} | {outputs[-1]: {0: "streams"}}
    _to_onnx(module, inputs, names, outputs, axes, card, path)


def _to_onnx(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
    card: Card,
    path: Path,
) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its deprecation
        torch.onnx.export(
            module, inputs, str(path), input_names=names, output_names=outputs, opset_version=17, dynamo=False,
            dynamic_axes=axes,
            # The runtime folds batch norms into the weights when it loads them, and in single precision.
            training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
    model = halved(onnx.load(path))
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)


class Waveform(nn.Module):
    """A streaming network behind its front end."""

    def __init__(self, judge: Judge, config: FrontendConfig) -> None:
        super().__init__()
        self.front_end, self.steps = FrontEnd(config), Steps(judge)

    def forward(self, audio: Tensor, reference: Tensor, state: Tensor, front_state: Tensor) -> tuple[Tensor, ...]:
        frames, new_front_state = self.front_end(audio, front_state)
        return *self.steps(frames, reference, state), new_front_state


def _write_waveform(net: Judge, card: Card, path: Path) -> None:
    module = Waveform(net, card.frontend).eval()
    samples = card.step * card.frontend.hop
    inputs = (
        torch.zeros(1, 2 * samples), torch.zeros(1), torch.zeros(1, module.steps.numbers),
        torch.zeros(1, NUMBERS, dtype=torch.float64),
    )  # fmt: skip
    outputs = [*STREAMING_OUTPUTS, "front_state_out"]
    axes = {"audio": {1: "samples"}} | {name: {0: "steps"} for name in STREAMING_OUTPUTS[:-1]}
    _to_onnx(module, inputs, ["audio", "reference", STATE, "front_state"], outputs, axes, card, path)


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
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    return model


def parity(net: Judge, model: Model) -> float:
    """The largest relative difference of any output over many windows; absolute for outputs below 1."""
    windows = list(parity_windows())
    by_onnx = [model.judge(logmel, reference) for logmel, reference in windows]
    return _difference(net, by_onnx, windows)


def streaming_parity(net: Judge, model: Model) -> float:
    """The same over all windows of a stream, which the file gets in calls of any length, and torch one by one."""
    clip = load_audio(Path(str(resources.files("noisewatch") / "demo.flac")))
    rng, frames, reference = np.random.default_rng(1), LogMel().feed(clip), -26.0
    whole = np.concatenate([model.lead_in(frames), frames])
    outputs: list[Output] = []
    state, at = model.initial_state(), 0
    while at + model.step <= len(whole):
        end = min(at + model.step * int(rng.choice([1, 1, 2, 3, 7, 40])), len(whole) // model.step * model.step)
        (given,), state = model.advance(whole[None, at:end], np.array([reference], np.float32), state)
        outputs, at = outputs + given, end
    first = (model.frames + model.step - 1) // model.step - 1  # step that completes the first window
    ends = range(model.frames, len(frames) + 1, model.step)
    windows = [(frames[end - model.frames : end], reference) for end in ends]
    return _difference(net, outputs[first : first + len(windows)], windows)


def waveform_parity(path: Path, model: Model, minutes: float = WAVEFORM_MINUTES) -> float:
    """The largest difference of probabilities between a file that takes a waveform and the runtime with its model.

    The demo clip at random gains, with an offset, in calls of random length.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    clip = load_audio(Path(str(resources.files("noisewatch") / "demo.flac")))
    samples = model.step * model.card.frontend.hop
    rng, largest, reference = np.random.default_rng(2), 0.0, np.array([-26.0], np.float32)
    theirs: dict[str, Any] = {"reference": reference, STATE: model.initial_state()}
    theirs["front_state"] = np.zeros((1, NUMBERS))
    front_end, state, begun, heard = FrontEndOfRuntime(model.card.frontend), model.initial_state(), False, 0
    while heard < minutes * 60 * SAMPLE_RATE:
        audio = clip[int(rng.integers(0, len(clip) // 2)) :][: samples * int(rng.choice([1, 2, 5, 10, 50]))]
        audio = audio[: len(audio) // samples * samples] * np.float32(
            10 ** (rng.uniform(-40, 0) / 20)
        ) + np.float32(0.02)
        *outputs, _, theirs[STATE], theirs["front_state"] = session.run(None, {**theirs, "audio": audio[None]})
        front_end.feed(audio)
        frames = front_end.take(len(audio))[1]
        frames = frames if begun else np.concatenate([model.lead_in(frames), frames])
        (ours,), state = model.advance(frames[None], reference, state)
        if heard >= model.frames * model.card.frontend.hop + samples:
            logits = np.stack([outputs[0], outputs[2], outputs[4]], 1)  # noise, voice, now
            expected = np.array([[o.noise, o.voice, o.now] for o in ours])
            largest = max(largest, float(np.abs(1 / (1 + np.exp(-logits)) - expected).max()))
        begun, heard = True, heard + len(audio)
    return largest


def _difference(
    net: Judge, by_onnx: Sequence[Output], windows: Sequence[tuple[NDArray[np.float32], float]]
) -> float:
    loader: DataLoader[Any] = DataLoader(windows, batch_size=16)  # type: ignore[arg-type]
    with torch.no_grad():
        columns = [torch.cat(parts) for parts in zip(*(net(x, r.float()) for x, r in loader), strict=True)]
    if len(columns) > len(OUTPUTS) + 1:
        columns[-1] = columns[-1].softmax(1)
    theirs = torch.cat([c.reshape(len(windows), -1) for c in columns], 1).numpy()
    ours = np.array([[*o[:6], *o.kind] if o.kind else o[: theirs.shape[1]] for o in by_onnx])
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max())


def parity_windows() -> Iterator[tuple[NDArray[np.float32], float]]:
    """Log-Mel windows (298, 40) of the voice and the noises of the demo clip at many gains, with references."""
    clip = load_audio(Path(str(resources.files("noisewatch") / "demo.flac")))
    rng = np.random.default_rng(0)
    for _ in range(PARITY_WINDOWS):
        start = int(rng.integers(0, len(clip) - WINDOW))
        gain = np.float32(10 ** (rng.uniform(-50, 10) / 20))
        yield LogMel().feed(clip[start : start + WINDOW] * gain), float(rng.uniform(-45, -10))
