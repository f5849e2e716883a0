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
from ..errors import ModelError
from ..system import watchdog
from ..system.paths import read_regular_file
from .card import METADATA_KEY, Card
from .ort import MAX_MESSAGE, first_line, open_session, run_options
from .shipped import DEFAULT, find_model

INPUTS = ("logmel", "reference")  # (1, frames, mels) float32; (1,) float32 dBFS
OUTPUTS = ("noise", "snr_db", "voice")  # (1,) float32 each: logit, dB, logit
WIDTH = "snr_width_db"  # (1,) float32, optional: width in dB of the central 80 % of the SNR, counted below 28 dB
FLOAT = "tensor(float)"
# Limits for files of unknown origin. The shipped models have a few MB.
MAX_FILE = 256 << 20  # bytes
MAX_STATE = 1 << 24  # numbers carried from one decision to the next

Frames = NDArray[np.float32]
Carried = dict[str, NDArray[Any]]  # state that a streaming network carries from one decision to the next


class Output(NamedTuple):
    """The network's estimate for one window."""

    noise_logit: float
    snr_db: float
    voice_logit: float
    snr_width_db: float | None = None  # how uncertain the SNR is; None if the network does not estimate it

    @property
    def noise(self) -> float:
        """Probability of noise, 0..1."""
        return _sigmoid(self.noise_logit)

    @property
    def voice(self) -> float:
        """Probability that someone speaks, 0..1."""
        return _sigmoid(self.voice_logit)


class Model:
    """A loaded network: log-Mel frames in, noise, SNR and voice out.

    It holds no per-stream state, so many streams and threads can share one model.

    path    the file
    digest  8 hexadecimal digits that distinguish models of the same name
    card    its `Card`
    frames  front-end frames in a window
    has_width  whether it estimates how uncertain the SNR is

    >>> model = Model("duo")
    >>> output, state = model(window, -26.0, model.initial_state())  # window: (model.frames, n_mels) float32
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
            self.frames = self.card.frames
            self._carried = _checked_state(self._session, self.card, self.path)
        except UnicodeDecodeError as error:
            raise ModelError(
                f"{self.path} contains text that is not UTF-8: {first_line(error)}. Copy or export it again."
            ) from error
        self._judged = _judged(self._session)
        self.has_width = WIDTH in self._judged
        self._outputs = [*self._judged, *(f"{name}_out" for name in self._carried)]

    def initial_state(self) -> Carried:
        """The state for the first decision of a stream: zeros by input name; empty for networks without state."""
        return {name: np.zeros(shape, np.float32) for name, shape in self._carried.items()}

    def __call__(self, window: Frames, reference_dbfs: float, state: Carried) -> tuple[Output, Carried]:
        """Judge one window; return the output, and the state to pass with the next window of the same stream.

        window: (frames, n_mels) float32, natural-log Mel power; reference_dbfs: the voice level that pauses are
        judged against. Raises ModelError for a network that fails, does not finish, or returns NaN or infinity.
        """
        feeds = {"logmel": window[None], "reference": np.array([reference_dbfs], np.float32), **state}
        options = run_options()
        number = watchdog.begin(options)
        try:
            values = self._session.run(self._outputs, feeds, options)
            judged, carried = values[: len(self._judged)], values[len(self._judged) :]
            output = Output(*(value.item() for value in judged))
        except Exception as error:  # onnxruntime raises a dozen exception classes
            why = f"fails at run time: {first_line(error)}"
            if options.terminate:
                why = f"does not finish: a decision may take {watchdog.POLLS * watchdog.POLL_S:.0f} s"
            raise ModelError(f"{self.path} {why}. Choose another model, or export it again.") from error
        finally:
            watchdog.end(number)
        if not all(value is None or math.isfinite(value) for value in output):
            raise ModelError(
                f"{self.path} returns {output}: its weights are broken. Choose another model, or train it again."
            )
        return output, dict(zip(self._carried, carried, strict=True))


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
    ours, theirs = asdict(FrontendConfig()), asdict(card.frontend)
    theirs["highpass_hz"] = ours["highpass_hz"]  # the one number that may differ; Card checks its range
    differ = [f"{k} {theirs[k]!r} (here {ours[k]!r})" for k in ours if ours[k] != theirs[k]]
    if differ:
        raise ModelError(
            f"{path} was trained on another front end: {', '.join(differ)}. "
            "Train and export it again with this version."
        )
    return card


def _checked_state(session: Any, card: Card, path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the state that the network carries. Raises ModelError if it contradicts its card."""
    inputs = {i.name: i for i in session.get_inputs()}
    outputs = {o.name: o for o in session.get_outputs()}
    if any(name not in inputs for name in INPUTS) or any(name not in outputs for name in OUTPUTS):
        raise ModelError(
            f"{path} has inputs {_few(inputs)} and outputs {_few(outputs)}; a noisewatch model has "
            f"{', '.join(INPUTS)} and {', '.join(OUTPUTS)}. Export it with `noisewatch export-onnx`."
        )
    shape, promised = inputs["logmel"].shape, [1, card.frames, card.frontend.n_mels]
    if shape != promised:
        raise ModelError(
            f"{path} takes log-Mel windows of shape {shape}; its card specifies {promised}. "
            "Export it with `noisewatch export-onnx`."
        )
    state = {name: tuple(i.shape) for name, i in inputs.items() if name not in INPUTS}
    judged = _judged(session)
    returned = [*judged, *(f"{name}_out" for name in state)]
    unfit = [f"input {name} of {i.type}" for name, i in inputs.items() if i.type != FLOAT]
    unfit += [f"output {n} of {outputs[n].type}" for n in returned if n in outputs and outputs[n].type != FLOAT]
    unfit += [f"input reference of shape {s}" for s in [inputs["reference"].shape] if s != [1]]
    unfit += [f"output {name} of shape {outputs[name].shape}" for name in judged if outputs[name].shape != [1]]
    for name, sizes in state.items():
        out = outputs.get(f"{name}_out")
        if out is None or out.shape != list(sizes) or not all(isinstance(n, int) and n > 0 for n in sizes):
            unfit.append(f"state {name} of shape {list(sizes)}")
    if unfit:
        raise ModelError(
            f"{path} has {_few(unfit)}. Inputs must be float, outputs float of shape [1], and a state NAME must "
            "have an output NAME_out of the same fixed shape. Export it with `noisewatch export-onnx`."
        )
    if (numbers := sum(map(math.prod, state.values()))) > MAX_STATE:
        raise ModelError(f"{path} carries a state of {numbers} numbers; allowed: {MAX_STATE}.")
    return state


def _judged(session: Any) -> list[str]:
    """The outputs that describe the window, in the order of `Output`."""
    return [*OUTPUTS, *(o.name for o in session.get_outputs() if o.name == WIDTH)]


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def _few(words: Iterable[str]) -> str:
    """Names from a file, which may be many and long."""
    text = ", ".join(itertools.islice(words, 20))
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}..."
