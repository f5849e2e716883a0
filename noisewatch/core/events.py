"""What comes out: readings and events. The fields are those of the JSON lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

State = Literal["clean", "noisy", "unknown"]
Reason = Literal["digital_silence", "dead_channel", "stalled", "gap", "too_short"]
WarningName = Literal["clipping", "gated", "short", "late"]

VARIABLES = "NOISEWATCH_EVENT_"  # of the environment of a command that `--exec` runs: a field each


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
    warnings: tuple[WarningName, ...] = ()
    reference: Literal["heard", "assumed"] = "assumed"  # the voice level that a silence is judged against
    utc: str | None = None  # wall clock of the decision, ISO 8601; None of a file, which may be of any day

    def json(self) -> str:
        """One JSON line, without the newline."""
        return _line({"type": "reading", **vars(self)})


@dataclass(frozen=True)
class Event:
    """A change that lasted long enough to matter."""

    event: Literal["noise_start", "noise_end", "input_lost", "input_back"]
    time: float  # s of stream time: when it was decided
    onset: float  # s: when it is thought to have begun
    id: int | None = None  # of the noise: 1 for the first of a stream
    end: float | None = None  # s, with noise_end: when the noise is thought to have ended
    duration: float | None = None  # s, with noise_end
    peak: float | None = None  # noise probability, so far or, with noise_end, of the whole noise; like the rest
    mean: float | None = None
    snr_db: float | None = None  # mean over the readings with a voice
    level_dbfs: float | None = None  # of all that was heard
    reason: Reason | None = None  # of input_lost
    device: str | None = None  # or recording
    model: str | None = None
    drops: int | None = None  # audio lost during the noise, times
    utc: str | None = None  # as for a reading
    lost_s: float | None = None  # s of audio that never arrived, with input_lost and input_back

    def json(self) -> str:
        """One JSON line, without the newline; fields that do not belong to this event are left out."""
        return _line({"type": "event", **{k: v for k, v in vars(self).items() if v is not None}, "utc": self.utc})


def utc(at: datetime | None = None) -> str:
    """A moment, by default now, as 2026-03-01T12:00:00.000Z."""
    return f"{(at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def label(mean: float, snr_db: float | None) -> str:
    """What a label track says of a noise."""
    return f"noise {mean:.0%}" + ("" if snr_db is None else f", SNR {snr_db:.0f} dB")


def label_line(start: float, end: float, mean: float, snr_db: float | None) -> str:
    """A line of an Audacity label track, with its newline."""
    return f"{start:.3f}\t{end:.3f}\t{label(mean, snr_db)}\n"


_DIGITS = {"noise": 4, "voice": 4, "peak": 4, "mean": 4, "worst_noise": 4}
_DIGITS |= {"noisy": 9, "unknown": 9, "threshold": 9, "hop_s": 9}  # compared, not looked at


def rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """Numbers with no more digits than they deserve, by the name of the field."""

    def digits(name: str) -> int:
        return 1 if name.endswith(("_db", "_dbfs")) else _DIGITS.get(name, 3)

    return {k: round(v, digits(k)) if isinstance(v, float) else v for k, v in fields.items()}


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(rounded(fields), allow_nan=False)
