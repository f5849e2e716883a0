"""The card of a model: its description, its requirements, and its training data."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from ..audio.logmel import FrontendConfig
from ..audio.signal import WINDOW_S
from ..system.validation import validated
from .detector import LEAD_S, TRAIL_S

METADATA_KEY = "noisewatch"  # key of the card in the metadata of the ONNX file
LONGEST_NAME = 100  # characters
RANGES = {
    "window_s": (0.03, WINDOW_S), "hop_s": (0.01, 60), "threshold": (0.05, 0.99), "step_s": (0, 1),
    "lead_s": (0, 10), "trail_s": (0, 10),
}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """Everything about a model that is not a weight, as JSON in the metadata of its ONNX file.

    Export writes it and the runtime reads it, both through this class. A model without a valid card is refused.
    """

    name: str  # up to 100 printable characters
    version: str  # of the noisewatch that exported it
    window_s: float  # s of audio that one decision looks back over
    hop_s: float  # s between decisions; a stream may override it
    threshold: float  # readings with at least this noise probability count as noise; a stream may override it
    step_s: float = 0.0  # s of audio that a streaming network takes at a time; 0: a windowed network
    lead_s: float = LEAD_S  # s from the onset of a noise until the network shows it
    trail_s: float = TRAIL_S  # s from the end of a noise until the network no longer shows it
    waveform: bool = False  # its front end is inside the graph: for other programs
    frontend: FrontendConfig = field(default_factory=FrontendConfig)
    licence: str = ""  # of the weights
    trained_on: list[dict[str, Any]] = field(default_factory=list)  # source, kind, minutes, licence
    shippable: bool = False  # the licence of every source allows weights trained on it to be distributed
    training: dict[str, Any] = field(default_factory=dict)  # configuration of the training run
    metrics: dict[str, float] = field(default_factory=dict)  # on the validation windows of the training run
    test_metrics: dict[str, float] = field(default_factory=dict)  # from its report: auc_0_20_db, auc_live
    parameters: int = 0
    macs: int = 0  # multiply-accumulates for one decision
    created: str = ""  # ISO 8601

    @property
    def frames(self) -> int:
        """Front-end frames in a window."""
        return self.frontend.frames(round(self.window_s * self.frontend.sample_rate))

    @property
    def step(self) -> int:
        """Front-end frames that a streaming network takes at a time; 0 for a windowed network."""
        return round(self.step_s * self.frontend.sample_rate) // self.frontend.hop

    def to_json(self) -> str:
        """The card as it is stored in the metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Parse and validate a card. Raises ValueError or TypeError with what is wrong."""
        try:
            given = json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if not isinstance(given, dict) or not isinstance(given.get("frontend"), dict):
            raise TypeError("it is not a JSON object with a `frontend` object")
        frontend = FrontendConfig.stored(validated(FrontendConfig, given["frontend"]))
        known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(cls)}
        if missing := [name for name, required in known.items() if required and name not in given]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"it has unknown fields: {', '.join(unknown)}")
        card = cls(**{**validated(cls, given), "frontend": frontend})
        card._validate()
        return card

    def _validate(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; allowed: {low} to {high}")
        if abs(self.hop_s * 100 - round(self.hop_s * 100)) > 1e-6:
            raise ValueError(f"hop_s is {self.hop_s!r}; allowed: multiples of 0.01")
        if self.step_s:
            hundredths = round(self.step_s * 100)
            if not hundredths or 100 % hundredths or abs(self.step_s * 100 - hundredths) > 1e-6:
                raise ValueError(f"step_s is {self.step_s!r}; allowed: 0, or a multiple of 0.01 that divides 1")
            if round(self.hop_s * 100) % hundredths:
                raise ValueError(f"hop_s is {self.hop_s!r}; allowed: multiples of step_s, {self.step_s!r}")
            if self.window_s != WINDOW_S:
                raise ValueError(f"window_s is {self.window_s!r}; a streaming network has {WINDOW_S!r}")
        cutoff = self.frontend.highpass_hz
        if not (cutoff == 0 or 1 <= cutoff <= 100):
            raise ValueError(f"highpass_hz is {cutoff!r}; allowed: 0 (none), or 1 to 100")
        if not (0 < len(self.name) <= LONGEST_NAME and self.name.isprintable()):
            raise ValueError(f"name is not 1 to {LONGEST_NAME} printable characters")
        if not all(isinstance(source, dict) for source in self.trained_on):
            raise TypeError("trained_on is not a list of objects")
