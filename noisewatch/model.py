"""A network in one ONNX file with its card inside, run by ONNX Runtime on one thread."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError, UsageError
from .frontend import FrontendConfig
from .places import expanded

DEFAULT = "duo"
METADATA_KEY = "noisewatch"  # of the card in the ONNX metadata
INPUTS = ("logmel", "reference")  # (1, frames, mels) float32; (1,) float32 dBFS
OUTPUTS = ("noise", "snr_db", "voice")  # (1,) float32 each: logit, dB, logit

Frames = NDArray[np.float32]
Carried = dict[str, NDArray[Any]]  # what a streaming network hands from one decision to the next


@dataclass(frozen=True)
class Card:
    """What a model is and where it comes from. JSON inside the ONNX file; both sides import this class."""

    name: str
    version: str  # of noisewatch that exported it
    window_s: float
    hop_s: float
    threshold: float
    frontend: FrontendConfig = field(default_factory=FrontendConfig)
    licence: str = ""
    trained_on: list[dict[str, Any]] = field(default_factory=list)  # source, kind, minutes, licence
    shippable: bool = False  # every source allows to ship weights trained on it
    training: dict[str, Any] = field(default_factory=dict)  # configuration of the run
    metrics: dict[str, float] = field(default_factory=dict)  # on the validation windows of the run
    parameters: int = 0
    macs: int = 0  # multiply-accumulates for one window
    created: str = ""

    def to_json(self) -> str:
        """As stored in the metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Raises ValueError, TypeError or KeyError for what is no card."""
        fields = json.loads(text)
        card = cls(**{**fields, "frontend": FrontendConfig.stored(fields["frontend"])})
        for name, low, high in (("window_s", 0.03, 60), ("hop_s", 0.01, 60), ("threshold", 0.05, 0.99)):
            value = getattr(card, name)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; allowed: {low} to {high}")
        cutoff = card.frontend.highpass_hz
        if not isinstance(cutoff, int | float) or not (cutoff == 0 or 1 <= cutoff <= 100):
            raise ValueError(f"highpass_hz is {cutoff!r}; allowed: 0 (none), or 1 to 100")
        return card

    @property
    def frames(self) -> int:
        """Front-end frames in a window."""
        return self.frontend.frames(round(self.window_s * self.frontend.sample_rate))


class Output(NamedTuple):
    """What the network says of one window."""

    noise_logit: float
    snr_db: float
    voice_logit: float

    @property
    def noise(self) -> float:
        """Probability of noise, 0..1."""
        return _sigmoid(self.noise_logit)

    @property
    def voice(self) -> float:
        """Probability that someone speaks, 0..1."""
        return _sigmoid(self.voice_logit)


class Model:
    """A loaded network. Holds nothing of any stream, so that many streams and threads may share it."""

    def __init__(self, source: str | Path = DEFAULT) -> None:
        """Load an ONNX file, or a shipped model by its name. Raises ModelError when it does not fit."""
        path = find_model(source)
        # Its packages report to their maker unless told otherwise before they load, and keep an identifier.
        for name in ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"):
            os.environ.setdefault(name, "1")
        import onnxruntime as ort  # late: 0.1 s that --help and the first frame of the meter do not need

        ort.disable_telemetry_events()  # on Windows
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # what goes wrong is raised
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a dozen classes of its own
            raise ModelError(f"{path} is no ONNX model that can be loaded: {_first_line(error)}") from error
        self.path = path
        self.digest = hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()  # tells models of a name apart
        self.card = self._card()
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = [o.name for o in self._session.get_outputs()]
        if any(name not in inputs for name in INPUTS) or any(name not in outputs for name in OUTPUTS):
            raise ModelError(
                f"{path} has inputs {', '.join(inputs)} and outputs {', '.join(outputs)}; a noisewatch model has "
                f"{', '.join(INPUTS)} and {', '.join(OUTPUTS)}. Export it with `noisewatch export-onnx`."
            )
        shape, promised = inputs["logmel"].shape, [1, self.card.frames, self.card.frontend.n_mels]
        if shape != promised:
            raise ModelError(
                f"{path} takes log-Mel windows of shape {shape}; its card says {promised}. "
                "Export it with `noisewatch export-onnx`."
            )
        self.frames = self.card.frames
        self._carried = {n: tuple(i.shape) for n, i in inputs.items() if n not in INPUTS}
        self._outputs = [*OUTPUTS, *(f"{name}_out" for name in self._carried)]
        given = {o.name: o.shape for o in self._session.get_outputs()}
        unfit = [f"input {n} of {i.type}" for n, i in inputs.items() if i.type != "tensor(float)"]
        unfit += [f"output {n} of shape {given[n]}" for n in OUTPUTS if given[n] != [1]]
        unfit += [f"state {n} of shape {s}" for n, s in self._carried.items() if list(s) != given.get(f"{n}_out")]
        if unfit:
            raise ModelError(
                f"{path} has {', '.join(unfit)}. Inputs are float, outputs of shape [1], and a state NAME comes "
                "back as NAME_out in the same shape. Export it with `noisewatch export-onnx`."
            )

    def _card(self) -> Card:
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise ModelError(
                f"{self.path} is ONNX but has no noisewatch card in its metadata, so its front end and "
                "thresholds are unknown. Export it with `noisewatch export-onnx`."
            )
        try:
            card = Card.from_json(text)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"{self.path} has a card that cannot be read: {error}. Export it again.") from error
        ours, theirs = asdict(FrontendConfig()), asdict(card.frontend)
        theirs["highpass_hz"] = ours["highpass_hz"]  # the one number that may differ: Card checks its range
        differ = [f"{k} {theirs[k]!r} (here {ours[k]!r})" for k in ours if ours[k] != theirs[k]]
        if differ:
            raise ModelError(
                f"{self.path} was trained on another front end: {', '.join(differ)}. "
                "Train and export it again with this version."
            )
        return card

    def initial_state(self) -> Carried:
        """What the first decision of a stream carries: zeros; empty for windowed networks."""
        return {name: np.zeros(shape, np.float32) for name, shape in self._carried.items()}

    def __call__(self, window: Frames, reference_dbfs: float, state: Carried) -> tuple[Output, Carried]:
        """Judge the newest frames (frames, mels); returns the output and the state for the next decision."""
        feeds = {"logmel": window[None], "reference": np.array([reference_dbfs], np.float32), **state}
        noise, snr_db, voice, *carried = self._session.run(self._outputs, feeds)
        output = Output(noise.item(), snr_db.item(), voice.item())
        if not all(map(math.isfinite, output)):
            raise ModelError(f"{self.path} gives {output}: its weights are broken. Train or export it again.")
        return output, dict(zip(self._carried, carried, strict=True))


def reported_threshold(name: str = DEFAULT) -> str:
    """A shipped model's threshold for a help text, from its report: its card would cost the loading of ONNX."""
    try:
        report = json.loads(resources.files("noisewatch.models").joinpath(f"{name}-report.json").read_text())
        return f"{report['scorers'][name]['threshold']:g} for {name}"
    except (ImportError, OSError, ValueError, KeyError, TypeError):
        return f"see the card of {name}"


def shipped_models() -> list[str]:
    """Names of the models in the package."""
    folder = resources.files("noisewatch.models")
    return sorted(f.name.removesuffix(".onnx") for f in folder.iterdir() if f.name.endswith(".onnx"))


def find_model(source: str | Path) -> Path:
    """A path, or the name of a shipped model. Raises ModelError when it is neither."""
    if str(source) in shipped_models():
        return Path(str(resources.files("noisewatch.models") / f"{source}.onnx"))
    try:
        path = expanded(Path(source))
    except UsageError as error:
        raise ModelError(str(error)) from error
    if path.is_file():
        return path
    if path.name != str(source) or path.suffix == ".onnx":
        what = f"{path} is no file" if os.path.lexists(path) else f"there is no file {path}"
        raise ModelError(f"{what}. Check the path; shipped models go by name: {', '.join(shipped_models())}.")
    raise ModelError(
        f"no model is called {str(source)!r}. Shipped: {', '.join(shipped_models())}; or give an .onnx file."
    )


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
