"""What comes out: readings and events. The fields are those of the JSON lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["clean", "noisy", "unknown"]
Reason = Literal["digital_silence", "dead_channel", "stalled", "too_short"]
Warning_ = Literal["clipping", "gated", "short", "late"]


REASONS: dict[str, str] = {
    "digital_silence": "The input sends digital silence: it is muted, or not allowed to listen.",
    "dead_channel": "The channel is dead: it sends one constant value. Try another with --channel.",
    "stalled": "The device sends nothing. Waiting for it to come back.",
    "too_short": "Too little sound to judge.",
}


@dataclass(frozen=True)
class Reading:
    """One decision about the last 3 s. `None` where a number would be a lie."""

    time: float  # s of stream time: the end of the window
    noise: float | None  # probability of noise, 0..1
    snr_db: float | None  # None where nobody speaks
    voice: float | None  # probability that someone speaks in the window, 0..1
    level_dbfs: float | None  # RMS since the reading before
    state: State
    reason: Reason | None = None  # why the state is unknown
    warnings: tuple[Warning_, ...] = ()
    reference: Literal["heard", "assumed"] = "assumed"  # the voice level that a silence is judged against

    def json(self) -> str:
        """One JSON line, without the newline."""
        return _line({"type": "reading", **vars(self)})


@dataclass(frozen=True)
class Event:
    """A change that lasted long enough to matter."""

    event: Literal["noise_start", "noise_end", "input_lost", "input_back"]
    time: float  # s of stream time: when it was decided
    onset: float  # s: when it is thought to have begun
    end: float | None = None  # s; this and the rest: of the whole noise, with noise_end
    duration: float | None = None  # s
    peak: float | None = None  # noise probability
    mean: float | None = None
    reason: Reason | None = None  # of input_lost

    def json(self) -> str:
        """One JSON line, without the newline; fields that do not belong to this event are left out."""
        return _line({"type": "event", **{k: v for k, v in vars(self).items() if v is not None}})


_DIGITS = {"noise": 4, "voice": 4, "peak": 4, "mean": 4, "snr_db": 1, "level_dbfs": 1}


def _line(fields: dict[str, Any]) -> str:
    rounded = {k: round(v, _DIGITS.get(k, 3)) if isinstance(v, float) else v for k, v in fields.items()}
    return json.dumps(rounded, allow_nan=False)
