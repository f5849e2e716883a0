"""Results on streams: alarms on clean voices, misses and delays of noises.

Every figure has the counts that it was computed from, so that the figures of several splits can be pooled:
`AlarmRate.pooled` and `Detections.pooled` take parts of any reports. In JSON, `Estimate` and `Delay` are lists of
their fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .estimate import Estimate

DOMINANT = 0.5  # a source with more than this share of a style's time would decide its figure
PROMPT_S = 3.0  # a noise called within this time of its onset was called promptly


@dataclass(frozen=True)
class AlarmRate:
    """Alarms on clean voices. An alarm is a `noise_start` event."""

    alarms: int
    seconds: float  # total duration of the streams
    noisy_seconds: float  # called noisy
    unjudged_seconds: float  # before the first window of each stream is full, and digital silence
    per_hour: Estimate  # per hour that was judged, with a Poisson interval
    noisy_share: float | None  # noisy_seconds / seconds

    @classmethod
    def of(cls, alarms: int, seconds: float, noisy_seconds: float, unjudged_seconds: float) -> AlarmRate:
        """From counts and durations, s."""
        return cls(
            alarms=alarms,
            seconds=round(seconds, 2),
            noisy_seconds=round(noisy_seconds, 2),
            unjudged_seconds=round(unjudged_seconds, 2),
            per_hour=Estimate.hourly(alarms, seconds - unjudged_seconds),
            noisy_share=noisy_seconds / seconds if seconds else None,
        )

    @property
    def judged_seconds(self) -> float:
        """Time in which an alarm was possible."""
        return self.seconds - self.unjudged_seconds

    @classmethod
    def pooled(cls, rates: Iterable[AlarmRate]) -> AlarmRate:
        """The rate over all streams of several rates."""
        parts = [(r.alarms, r.seconds, r.noisy_seconds, r.unjudged_seconds) for r in rates]
        return cls.of(*(sum(values) for values in zip(*parts, strict=True))) if parts else cls.of(0, 0, 0, 0)


@dataclass(frozen=True)
class StyleAlarms:
    """Alarms on the voices of one style: read speech, other speech, or single words."""

    all: AlarmRate
    dominant: str | None  # the source that makes up more than half of the time, if there are others
    others: AlarmRate | None  # all sources but the dominant one; None if there is none
    sources: dict[str, AlarmRate]  # in descending order of alarms

    @classmethod
    def of(cls, sources: Mapping[str, AlarmRate]) -> StyleAlarms:
        """From the rates of one style by source."""
        everything = AlarmRate.pooled(sources.values())
        share = {name: rate.seconds / (everything.seconds or 1) for name, rate in sources.items()}
        dominant = next((n for n in share if share[n] > DOMINANT and len(share) > 1), None)
        others = None if dominant is None else AlarmRate.pooled(r for n, r in sources.items() if n != dominant)
        ranked = sorted(sources, key=lambda n: (-sources[n].alarms, -(sources[n].noisy_share or 0), n))
        return cls(everything, dominant, others, {name: sources[name] for name in ranked})


class Delay(NamedTuple):
    """Quantiles of a delay, s. None if there is none."""

    median: float | None
    p95: float | None  # 95th percentile

    @classmethod
    def of(cls, delays: Iterable[float]) -> Delay:
        """From delays, s."""
        values = list(delays)
        return cls(*(round(float(np.quantile(values, q)), 3) for q in (0.5, 0.95))) if values else cls(None, None)


@dataclass(frozen=True)
class Detections:
    """Noises behind voices that go on: which of them were called, and how soon.

    Shares are of the noises that were not already called before they began.
    """

    noises: int
    already_on: int  # the stream was already called noisy when they began: neither called nor missed
    missed: int
    prompt: int  # called within 3 s of the onset
    missed_share: Estimate
    prompt_share: Estimate
    start_delay: Delay  # s from the onset to `noise_start`, of those called
    end_delay: Delay  # s from the end to `noise_end`, of those called; negative if called off early
    start_median_of_all_s: float | None  # a missed noise counts as never called; None if that is the median
    start_delays_s: tuple[float, ...]
    end_delays_s: tuple[float, ...]

    @classmethod
    def of(cls, already_on: int, missed: int, starts: Iterable[float], ends: Iterable[float]) -> Detections:
        """From counts, and the delays of the noises that were called, s."""
        starts, ends = (tuple(round(float(d), 2) for d in delays) for delays in (starts, ends))
        begun_clean = missed + len(starts)
        prompt = sum(delay <= PROMPT_S for delay in starts)
        return cls(
            noises=begun_clean + already_on,
            already_on=already_on,
            missed=missed,
            prompt=prompt,
            missed_share=Estimate.share(missed, begun_clean),
            prompt_share=Estimate.share(prompt, begun_clean),
            start_delay=Delay.of(starts),
            end_delay=Delay.of(ends),
            start_median_of_all_s=_median_of_all(starts, missed),
            start_delays_s=starts,
            end_delays_s=ends,
        )

    @property
    def begun_clean(self) -> int:
        """How many noises the shares are of."""
        return self.noises - self.already_on

    @classmethod
    def pooled(cls, parts: Iterable[Detections]) -> Detections:
        """The figures over all noises of several figures."""
        parts = list(parts)
        return cls.of(
            sum(p.already_on for p in parts),
            sum(p.missed for p in parts),
            [delay for p in parts for delay in p.start_delays_s],
            [delay for p in parts for delay in p.end_delays_s],
        )


def _median_of_all(starts: Sequence[float], missed: int) -> float | None:
    """The lower median, which is a delay that occurred."""
    ranked = [*sorted(starts), *[None] * missed]
    return ranked[(len(ranked) - 1) // 2] if ranked else None


@dataclass(frozen=True)
class StreamFigures:
    """A model on streams, at its own hop. In a report's JSON: `scorers.NAME.streams`.

    Takes of a speaker are joined over their own noise floor, which is the only noise in clean streams.
    """

    threshold: float
    # By style (read, other, words): of takes with a floor at least 40 dB below the voice, and of all others.
    alarms: dict[str, StyleAlarms]
    alarms_under_40_db: dict[str, StyleAlarms]
    # 5 s of noise, by "all", "continuous" or "intermittent", then by SNR, such as "10 dB".
    delays: dict[str, dict[str, Detections]]
    second_voice: dict[str, Detections]  # another voice for 5 s, by the SNR of the first over it
    short_noises: Detections  # of 1 to 4 s, at 0 to 10 dB
    short_noises_by_sound: dict[str, Detections]  # by kind of sound; empty if the manifest names none
    notes: tuple[str, ...]  # what could not be measured, and why

    @property
    def not_read(self) -> AlarmRate:
        """Alarms on all styles but read speech, without the dominant source of each."""
        return AlarmRate.pooled(a.others or a.all for style, a in self.alarms.items() if style != "read")
