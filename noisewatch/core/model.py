"""A network in one ONNX file with its card inside, run by ONNX Runtime on one thread."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..audio.logmel import FrontendConfig
from ..audio.signal import WINDOW_S
from ..errors import ModelError, UsageError
from ..system import watchdog
from ..system.parsing import checked
from ..system.patience import patiently
from ..system.places import contents, expanded

DEFAULT = "duo"
METADATA_KEY = "noisewatch"  # of the card in the ONNX metadata
INPUTS = ("logmel", "reference")  # (1, frames, mels) float32; (1,) float32 dBFS
OUTPUTS = ("noise", "snr_db", "voice")  # (1,) float32 each: logit, dB, logit
FLOAT = "tensor(float)"
CPU = "CPUExecutionProvider"
# A file from anywhere may ask for anything. Networks of ours take some MB.
MOST_FILE = 256 << 20  # bytes
MOST_MEMORY = 1 << 30  # bytes, of all networks in a process
MOST_STATE = 1 << 24  # numbers carried from one decision to the next
LOAD_S = 20.0
LONGEST_NAME = 100
LONGEST_REASON = 300  # characters of what ONNX Runtime or a card says

Frames = NDArray[np.float32]
Carried = dict[str, NDArray[Any]]  # what a streaming network hands from one decision to the next

_limited = False


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
        """Raises ValueError, TypeError, KeyError or AttributeError for what is no card."""
        try:
            fields = json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        frontend = FrontendConfig.stored(checked(FrontendConfig, fields["frontend"]))
        card = cls(**{**checked(cls, fields), "frontend": frontend})
        for name, low, high in (("window_s", 0.03, WINDOW_S), ("hop_s", 0.01, 60), ("threshold", 0.05, 0.99)):
            value = getattr(card, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; allowed: {low} to {high}")
        if abs(card.hop_s * 100 - round(card.hop_s * 100)) > 1e-6:
            raise ValueError(f"hop_s is {card.hop_s!r}; allowed: multiples of 0.01")
        cutoff = card.frontend.highpass_hz
        if not (cutoff == 0 or 1 <= cutoff <= 100):
            raise ValueError(f"highpass_hz is {cutoff!r}; allowed: 0 (none), or 1 to 100")
        if not (0 < len(card.name) <= LONGEST_NAME and card.name.isprintable()):
            raise ValueError(f"name is no line of 1 to {LONGEST_NAME} characters")
        if not all(isinstance(source, dict) for source in card.trained_on):
            raise TypeError("trained_on is no list of sources")
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
        _limit_memory()
        self._options = ort.RunOptions
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = 4  # what goes wrong is raised
        data = _read(path)
        try:
            self._session = patiently(
                # The fallback would print on stdout.
                lambda: ort.InferenceSession(data, options, [CPU], enable_fallback=0),
                LOAD_S,
            )
        except TimeoutError as error:
            if hasattr(options, "set_load_cancellation_flag"):  # since ONNX Runtime 1.21
                options.set_load_cancellation_flag(True)
            raise ModelError(f"{path} takes more than {LOAD_S:.0f} s to load. Take another model.") from error
        except Exception as error:  # onnxruntime raises a dozen classes of its own
            raise ModelError(f"{path} is no ONNX model that can be loaded: {_first_line(error)}") from error
        self.path = path
        self.digest = hashlib.blake2b(data, digest_size=4).hexdigest()  # tells models of a name apart
        try:
            self._fit(path)
        except UnicodeDecodeError as error:
            raise ModelError(
                f"{path} holds text that is not UTF-8: {_first_line(error)}. Copy or export it again."
            ) from error

    def _fit(self, path: Path) -> None:
        """Read the card and the network's inputs and outputs. Raises ModelError where they do not fit."""
        self.card = self._card()
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = [o.name for o in self._session.get_outputs()]
        if any(name not in inputs for name in INPUTS) or any(name not in outputs for name in OUTPUTS):
            raise ModelError(
                f"{path} has inputs {_few(inputs)} and outputs {_few(outputs)}; a noisewatch model has "
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
        types = {o.name: o.type for o in self._session.get_outputs()}
        unfit = [f"input {n} of {i.type}" for n, i in inputs.items() if i.type != FLOAT]
        unfit += [f"output {n} of {types[n]}" for n in self._outputs if types.get(n, FLOAT) != FLOAT]
        unfit += [f"input reference of shape {s}" for s in [inputs["reference"].shape] if s != [1]]
        unfit += [f"output {n} of shape {given[n]}" for n in OUTPUTS if given[n] != [1]]
        unfit += [
            f"state {n} of shape {list(s)}"
            for n, s in self._carried.items()
            if list(s) != given.get(f"{n}_out") or not all(isinstance(d, int) and d > 0 for d in s)
        ]
        if unfit:
            raise ModelError(
                f"{path} has {_few(unfit)}. Inputs are float, outputs of shape [1], and a state NAME comes "
                "back as NAME_out in the same fixed shape. Export it with `noisewatch export-onnx`."
            )
        if (carries := sum(map(math.prod, self._carried.values()))) > MOST_STATE:
            raise ModelError(f"{path} carries a state of {carries} numbers; allowed: {MOST_STATE}.")

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
            raise ModelError(
                f"{self.path} has a card that cannot be read: {_first_line(error)}. Export it again."
            ) from error
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
        """Judge the newest frames (frames, mels); returns the output and the state for the next decision.

        Raises ModelError for a network that fails, does not end, or gives what is no number.
        """
        feeds = {"logmel": window[None], "reference": np.array([reference_dbfs], np.float32), **state}
        options = self._options()
        number = watchdog.begin(options)
        try:
            noise, snr_db, voice, *carried = self._session.run(self._outputs, feeds, options)
            output = Output(noise.item(), snr_db.item(), voice.item())
        except Exception as error:
            why = f"fails while it runs: {_first_line(error)}"
            if options.terminate:
                why = f"does not come to an end: a decision may take {watchdog.LOOKS * watchdog.LOOK_S:.0f} s"
            raise ModelError(f"{self.path} {why}. Take another model, or export it again.") from error
        finally:
            watchdog.end(number)
        if not all(map(math.isfinite, output)):
            raise ModelError(f"{self.path} gives {output}: its weights are broken. Train or export it again.")
        return output, dict(zip(self._carried, carried, strict=True))


def _limit_memory() -> None:
    """What all networks of this process may take together; only sessions that ask for it take from there."""
    global _limited
    if not _limited:
        _limited = True
        import onnxruntime as ort

        memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
        ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": MOST_MEMORY}))


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_FILE:
            raise ModelError(
                f"{path} has {size / 1e6:.0f} MB; allowed: {MOST_FILE / 1e6:.0f}. A noisewatch model has 1 to 20."
            )
        return contents(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


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
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    if path.name != str(source) or path.suffix == ".onnx":
        what = f"{path} is no file" if os.path.lexists(path) else f"there is no file {path}"
        raise ModelError(f"{what}. Check the path; shipped models go by name: {', '.join(shipped_models())}.")
    raise ModelError(
        f"no model is called {str(source)!r}. Shipped: {', '.join(shipped_models())}; or give an .onnx file."
    )


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    if "AllocateRaw" in line or isinstance(error, MemoryError):
        return f"it needs more than {MOST_MEMORY >> 30} GiB of memory"
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."


def _few(words: Iterable[str]) -> str:
    """Names from a file, which may be many and long."""
    text = ", ".join(itertools.islice(words, 20))
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."
