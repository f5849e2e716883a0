"""A network in an ONNX file with its card inside."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..audio.logmel import FrontendConfig
from ..errors import ModelError, UsageError
from ..system import watchdog
from ..system.paths import read_regular_file
from .card import METADATA_KEY, Card
from .events import KINDS
from .ort import MAX_MESSAGE, first_line, open_session, run_options
from .shipped import DEFAULT, find_model

INPUTS = ("logmel", "reference")  # (1, frames, mels) float32; (1,) float32 dBFS
OUTPUTS = ("noise", "snr_db", "voice")  # (1,) float32 each: logit, dB, logit
WIDTH = "snr_width_db"  # (1,) float32, optional: width in dB of the central 80 % of the SNR, counted below HEARD_DB
HEARD_DB = 28.0  # an SNR above this is clean, however far above
# A streaming network has one more input, and all of these outputs. Its frames and its batch may have any length.
STATE, STATE_OUT = "state", "state_out"  # (batch, numbers) float32; zeros before the first frames
STREAMING_OUTPUTS = (
    *OUTPUTS,
    WIDTH,
    "now",
    "voice_dbfs",
    "kind",
    STATE_OUT,
)  # now: logit; kind: (n, 10) logits
FLOAT = "tensor(float)"
# Limits for files of unknown origin. The shipped models have a few MB.
MAX_FILE = 256 << 20  # bytes
MAX_STATE = 1 << 20  # numbers that a stream carries from one call to the next

Frames = NDArray[np.float32]
State = NDArray[np.float32]


class NotFinite(ModelError):
    """The network returns NaN or infinity."""


class Output(NamedTuple):
    """The network's estimate for one window. The fields with a default are None for networks without them."""

    noise_logit: float
    snr_db: float
    voice_logit: float
    snr_width_db: float | None = None  # how uncertain the SNR is
    now_logit: float | None = None  # noise in the last 0.5 s
    voice_dbfs: float | None = None  # active level of the voice
    kind: tuple[float, ...] | None = None  # probability of each kind of noise, in the order of `KINDS`

    @property
    def noise(self) -> float:
        """Probability of noise, 0..1."""
        return _sigmoid(self.noise_logit)

    @property
    def voice(self) -> float:
        """Probability that someone speaks, 0..1."""
        return _sigmoid(self.voice_logit)

    @property
    def now(self) -> float | None:
        """Probability of noise in the last 0.5 s, 0..1."""
        return None if self.now_logit is None else _sigmoid(self.now_logit)


class Model:
    """A loaded network: log-Mel frames in, noise, SNR and voice out.

    It holds no per-stream state, so many streams and threads can share one model. A windowed network judges each
    window anew. A streaming network (`step` > 0) takes the frames of a stream `step` at a time, or any multiple of
    it in one call with the same result, and gives an estimate for the window that ends with each step.

    path    the file
    card    its description
    frames  frames of a window, 298
    step    frames that a streaming network takes at a time, 10; 0 for a windowed one
    digest  identifies the file

    >>> model = Model("duo")
    >>> output = model.judge(window, -26.0)  # window: (model.frames, n_mels) float32
    """

    def __init__(self, source: str | Path = DEFAULT) -> None:
        """Load an ONNX file, or a shipped model by name.

        Raises ModelError if the file is missing, cannot be loaded, or has no card that fits it and this version.
        """
        self.path = find_model(source)
        data = _read(self.path)
        self._session = open_session(data, self.path)
        self.digest = hashlib.blake2b(data, digest_size=4).hexdigest()
        try:
            self.card = _card(self._session, self.path)
            self.frames, self.step = self.card.frames, self.card.step
            self._numbers = _checked(self._session, self.card, self.path)
        except UnicodeDecodeError as error:
            raise ModelError(
                f"{self.path} contains text that is not UTF-8: {first_line(error)}. Copy or export it again."
            ) from error
        offered = [o.name for o in self._session.get_outputs()]
        self.has_width = WIDTH in offered
        self._outputs = (
            list(STREAMING_OUTPUTS) if self.step else [*OUTPUTS, *(name for name in offered if name == WIDTH)]
        )

    def judge(self, window: Frames, reference_dbfs: float) -> Output:
        """Judge one window on its own.

        window: (frames, n_mels) float32, natural-log Mel power; reference_dbfs: the voice level that pauses are
        judged against. Raises ModelError for a network that fails, does not finish, or returns NaN or infinity.
        """
        reference = np.array([reference_dbfs], np.float32)
        if not self.step:
            values = self._run({"logmel": window[None], "reference": reference}, count=1)
            return self._output([value.item() for value in values])
        whole = np.concatenate([self.lead_in(window), window])[None]
        (outputs,), _ = self.advance(whole, reference, self.initial_state())
        return outputs[-1]

    def lead_in(self, frames: Frames) -> Frames:
        """What a streaming network takes before the first frames of a stream, so that windows end with steps."""
        return np.repeat(frames[:1], -self.frames % self.step, axis=0)

    def initial_state(self, streams: int = 1) -> State:
        """The state (streams, numbers) before the first frames of streams, for `advance`."""
        return np.zeros((streams, self._numbers), np.float32)

    def advance(self, frames: Frames, references_dbfs: Frames, state: State) -> tuple[list[list[Output]], State]:
        """Take the next steps of some streams; return the outputs of each stream and step, and the new state.

        frames: (streams, steps * step, n_mels), of each stream directly after those of the call before;
        references_dbfs: (streams,); state: of the call before. Outputs mean nothing until a stream has had a whole
        window. Only for a streaming network. Raises ModelError as `judge` does; NotFinite, which is one, also for a
        state that is not finite.
        """
        streams, steps = len(frames), frames.shape[1] // self.step
        if frames.shape[1] % self.step:
            raise UsageError(f"there are {frames.shape[1]} frames; allowed: multiples of {self.step}.")
        values: list[NDArray[np.float32]]
        *values, new_state = self._run(
            {"logmel": frames, "reference": references_dbfs, STATE: state}, count=streams * steps
        )
        kinds = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        kinds /= kinds.sum(1, keepdims=True)
        columns = [value.reshape(-1).tolist() for value in values[:-1]]
        rows = [self._output([*row, tuple(kind)]) for *row, kind in zip(*columns, kinds.tolist(), strict=True)]
        if not np.isfinite(new_state).all():
            raise NotFinite(
                f"{self.path} returns a state that is not finite. Choose another model, or train it again."
            )
        return [rows[i * steps : (i + 1) * steps] for i in range(streams)], new_state

    def _output(self, values: list[Any]) -> Output:
        output = Output(*values)
        if not math.isfinite(sum(value for value in values if isinstance(value, float))):
            raise NotFinite(
                f"{self.path} returns {output}: its weights are broken. Choose another model, or train it again."
            )
        return output

    def _run(self, feeds: dict[str, NDArray[np.float32]], *, count: int) -> list[NDArray[np.float32]]:
        """The outputs, of which each but the state has `count` rows."""
        options = run_options()
        number = watchdog.begin(options)
        try:
            values: list[NDArray[np.float32]] = self._session.run(self._outputs, feeds, options)
            shapes = {"kind": (count, len(KINDS)), STATE_OUT: feeds[STATE].shape if self.step else ()}
            for name, value in zip(self._outputs, values, strict=True):
                if value.shape != shapes.get(name, (count,)):
                    raise ValueError(f"it returns {name} of shape {value.shape} for {count} windows")
            return values
        except Exception as error:  # onnxruntime raises a dozen exception classes
            why = f"fails at run time: {first_line(error)}"
            if options.terminate:
                why = f"does not finish: a decision may take {watchdog.POLLS * watchdog.POLL_S:.0f} s"
            raise ModelError(f"{self.path} {why}. Choose another model, or export it again.") from error
        finally:
            watchdog.end(number)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ModelError(
                f"{path} has {size / 1e6:.0f} MB; allowed: {MAX_FILE / 1e6:.0f}. A noisewatch model has 1 to 20."
            )
        return read_regular_file(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


def _card(session: Any, path: Path) -> Card:
    """The card in the metadata, for the front end of this version."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{path} is ONNX but has no noisewatch card in its metadata, so its front end and threshold are "
            "unknown. Export it with `noisewatch export-onnx`."
        )
    try:
        card = Card.from_json(text)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path} has a card that cannot be read: {first_line(error)}. Export it again.") from error
    if card.waveform:
        raise ModelError(
            f"{path} takes a waveform: it is for programs other than noisewatch, which has the front end itself. "
            "Use a model without one, such as stcn."
        )
    ours, theirs = asdict(FrontendConfig()), asdict(card.frontend)
    theirs["highpass_hz"] = ours["highpass_hz"]  # the one number that may differ; Card checks its range
    differ = [f"{k} {theirs[k]!r} (here {ours[k]!r})" for k in ours if ours[k] != theirs[k]]
    if differ:
        raise ModelError(
            f"{path} was trained on another front end: {', '.join(differ)}. "
            "Train and export it again with this version."
        )
    return card


def _checked(session: Any, card: Card, path: Path) -> int:
    """The size of the state, 0 for a windowed network. Raises ModelError if the file contradicts its card."""
    inputs = {i.name: i for i in session.get_inputs()}
    outputs = {o.name: o for o in session.get_outputs()}
    wanted = (*INPUTS, STATE) if card.step else INPUTS
    returned = STREAMING_OUTPUTS if card.step else OUTPUTS
    if set(wanted) != set(inputs) or not set(returned) <= set(outputs):
        what = "streaming noisewatch model" if card.step else "noisewatch model"
        raise ModelError(
            f"{path} has inputs {_few(inputs)} and outputs {_few(outputs)}; a {what} has {', '.join(wanted)} and "
            f"{', '.join(returned)}. Export it with `noisewatch export-onnx`."
        )
    mels = card.frontend.n_mels
    shape, promised = inputs["logmel"].shape, [1, card.frames, mels]
    if shape != promised if not card.step else (len(shape) != 3 or shape[2] != mels or _fixed(shape[:2])):
        fits = f"[streams, frames, {mels}]" if card.step else promised
        raise ModelError(
            f"{path} takes log-Mel frames of shape {shape}; its card specifies {fits}. "
            "Export it with `noisewatch export-onnx`."
        )
    unfit = [f"input {name} of {i.type}" for name, i in inputs.items() if i.type != FLOAT]
    unfit += [f"output {n} of {outputs[n].type}" for n in returned if outputs[n].type != FLOAT]
    if card.step:
        numbers = inputs[STATE].shape[-1]
        if len(inputs[STATE].shape) != 2 or not isinstance(numbers, int) or not 0 < numbers <= MAX_STATE:
            unfit.append(f"a state of shape {inputs[STATE].shape}, where [streams, 1 to {MAX_STATE}] is allowed")
    else:
        numbers = 0
        shapes = {"input reference": inputs["reference"].shape}
        shapes |= {f"output {n}": outputs[n].shape for n in (*OUTPUTS, WIDTH) if n in outputs}
        unfit += [f"{name} of shape {found}" for name, found in shapes.items() if found != [1]]
    if unfit:
        raise ModelError(f"{path} has {_few(unfit)}. Export it with `noisewatch export-onnx`.")
    return int(numbers)


def _fixed(shape: Iterable[Any]) -> bool:
    return any(isinstance(size, int) for size in shape)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def _few(words: Iterable[str]) -> str:
    """Names from a file, which may be many and long."""
    text = ", ".join(itertools.islice(words, 20))
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}..."
