"""Readings and events, the output of a stream. Their fields are those of the JSON lines.

To add a warning, or a reason for `unknown`:

1. Name it here, in `WarningName` or `Reason`, and return it where it is detected: from `Health.warnings` or
   `Health.reason` if the samples of a window show it, from `Traces.warnings` if it takes longer or a spectrum, from
   `Stream` if it concerns how they arrive.
2. Put its sentence into `ui/wording.py`. A reason must have one; a warning needs one only if it calls for action.

Everything else (JSON, meter, scan, summary) handles unknown names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from ..errors import printable

State = Literal["clean", "noisy", "unknown"]
Reason = Literal[
    "digital_silence",  # switched off, or access is denied: samples of 0, or of 0 with dither
    "muted",  # a level that no open microphone has
    "dead_channel",  # samples of one constant value
    "stalled",  # the input sends nothing
    "disconnected",  # the device is gone
    "gap",  # audio was lost before it arrived
    "too_short",  # less than 1 s of sound in the window
]
WAITING: tuple[Reason, ...] = ("stalled", "disconnected")  # repeated every second until audio arrives
NO_AUDIO: tuple[Reason, ...] = (*WAITING, "gap")  # of readings that judge no audio
WarningName = Literal[
    "clipping",  # samples at full scale
    "gated",  # stretches of digital silence in the window
    "dc",  # a constant offset
    "band_limited",  # nothing above 4 kHz
    "hum",  # mains hum
    "gain_riding",  # automatic gain control
    "suppressed",  # a noise suppressor
    "short",  # a stream shorter than a window
    "late",  # the input was ahead, so earlier decisions were skipped
    "restarted",  # the network's state had become infinite, and was computed anew
]
EventName = Literal["noise_start", "noise_end", "input_lost", "input_back"]
Kind = Literal[
    "animal", "human", "impact", "machine", "music", "nature", "signal", "traffic", "typing", "voices"
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

NOW_S = 0.5  # what `now` looks back over, s
VOICE = 0.5  # voice probability at or above which a window counts as speech


@dataclass(frozen=True)
class Reading:
    """One decision about the last 3 s of audio. `None` where a number would be a lie.

    time        s of stream time: the end of the window
    noise       probability of noise, 0..1
    snr_db      SNR in the window, dB; None without speech, and where it is uncertain by more than 15 dB below 28 dB
    voice       probability that someone speaks in the window, 0..1
    level_dbfs  RMS level since the previous reading, dBFS; None in digital silence
    state       `clean`, `noisy` or `unknown`: the verdict, after hysteresis and minimum times
    reason      why the state is `unknown`; then noise, snr_db and voice are None
    warnings    what may make the reading less reliable
    reference   whether the voice level that pauses are judged against was `heard` in this stream or is `assumed`
    hum_hz      frequency of the mains, 50 or 60 Hz, with the warning `hum`
    now         probability of noise in the last 0.5 s, 0..1. This and the next four are None for a windowed model
    noise_dbfs  level of the noise as if alone, dBFS; None where its SNR is not known
    voice_dbfs  level of the voice as if alone, dBFS; None without speech
    kind        which kind of noise it is; None where it is clean or not sure
    kind_probability  of `kind`, 0..1
    input       which of several inputs; None if there is only one
    utc         wall clock of the decision, ISO 8601; None for a recording, whose date is unknown
    """

    time: float
    noise: float | None
    snr_db: float | None
    voice: float | None
    level_dbfs: float | None
    state: State
    reason: Reason | None = None
    warnings: tuple[WarningName, ...] = ()
    reference: Literal["heard", "assumed"] = "assumed"
    hum_hz: int | None = None
    now: float | None = None
    noise_dbfs: float | None = None
    voice_dbfs: float | None = None
    kind: Kind | None = None
    kind_probability: float | None = None
    input: str | None = None
    utc: str | None = None

    @property
    def evidence(self) -> float | None:
        """The probability that the verdict follows: `noise`, or `now` where that is lower."""
        return evidence(self.noise, self.now)

    @property
    def spoken(self) -> bool:
        """Whether someone speaks in the window; False if it could not be judged."""
        return self.voice is not None and self.voice >= VOICE

    def json(self) -> str:
        """One JSON line, without the newline."""
        return _line({"type": "reading", **vars(self)})


@dataclass(frozen=True)
class Event:
    """A change that lasted long enough to matter. Fields that do not belong to the event are None.

    event       `noise_start`, `noise_end`, `input_lost` or `input_back`
    time        s of stream time: when it was decided
    onset       s: when the noise, or the loss, is estimated to have begun
    id          number of the noise: 1 for the first of a stream; several inputs are counted separately
    end         s: when the noise is estimated to have ended (noise_end)
    duration    s: end - onset (noise_end)
    peak        highest noise probability, 0..1. This and the next three cover the noise up to `time`
    mean        mean noise probability, 0..1
    snr_db      mean SNR over the readings with a voice, dB
    level_dbfs  mean level of all audio, dBFS
    kind        the kind of noise that most readings of it name
    reason      why the input cannot be judged (input_lost)
    device      the device or recording
    model       name of the model
    drops       how often audio was lost during the noise
    input       as for a reading
    utc         as for a reading
    lost_s      s of audio that never arrived (input_lost, input_back)
    warnings    those of the reading that caused the event
    """

    event: EventName
    time: float
    onset: float
    id: int | None = None
    end: float | None = None
    duration: float | None = None
    peak: float | None = None
    mean: float | None = None
    snr_db: float | None = None
    level_dbfs: float | None = None
    kind: Kind | None = None
    reason: Reason | None = None
    device: str | None = None
    model: str | None = None
    drops: int | None = None
    input: str | None = None
    utc: str | None = None
    lost_s: float | None = None
    warnings: tuple[WarningName, ...] | None = None

    def json(self) -> str:
        """One JSON line, without the newline and without the fields that are None, except `utc`."""
        return _line({"type": "event", **{k: v for k, v in vars(self).items() if v is not None}, "utc": self.utc})


def evidence(noise: float | None, now: float | None) -> float | None:
    """Probability of noise in the window and at the moment; of the window alone if `now` is not known."""
    return noise if noise is None or now is None else min(noise, now)


def utc(at: datetime | None = None) -> str:
    """A time, by default now, in ISO 8601: 2026-03-01T12:00:00.000Z."""
    return f"{(at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def label(mean: float, snr_db: float | None) -> str:
    """The text of a noise in a label track."""
    return f"noise {mean:.0%}" + ("" if snr_db is None else f", SNR {snr_db:.0f} dB")


def label_line(start: float, end: float, mean: float, snr_db: float | None, *, input: str | None = None) -> str:
    """A line of an Audacity label track, with its newline. input: which of several, if there are."""
    whose = "" if input is None else f"{printable(input)}: "
    return f"{start:.3f}\t{end:.3f}\t{whose}{label(mean, snr_db)}\n"


_DIGITS = {"noise": 4, "now": 4, "kind_probability": 4, "voice": 4, "peak": 4, "mean": 4, "worst_noise": 4}
_DIGITS |= {"noisy": 9, "unknown": 9, "threshold": 9, "hop_s": 9}  # values that programs compare


def rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with floats rounded to the digits that are significant, by the name of the field."""

    def digits(name: str) -> int:
        return 1 if name.endswith(("_db", "_dbfs")) else _DIGITS.get(name, 3)

    return {k: round(v, digits(k)) if isinstance(v, float) else v for k, v in fields.items()}


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(rounded(fields), allow_nan=False)
