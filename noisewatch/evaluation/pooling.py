"""The figures of networks that were each measured on other sources, and what they come to together."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeVar

from .stream_figures import AlarmRate, Detections, StyleAlarms

AUC = ("0-20 dB", "20 dB", "live")

T = TypeVar("T")


class Share(NamedTuple):
    """How many of how many."""

    part: int
    whole: int


@dataclass(frozen=True)
class Pooled:
    """One network or several: counts are summed, delays joined, AUC and SNR errors averaged."""

    auc: dict[str, float | None]  # "0-20 dB", "20 dB", "live"
    alarms: dict[str, StyleAlarms]  # by style of speech, of takes with a floor at least 40 dB down
    delays: dict[str, Detections]  # noises of 5 s, by SNR
    second_voice: dict[str, Detections]  # another voice for 5 s, by the SNR of the first over it
    short_noises: Detections  # noises of 1 to 4 s at 0 to 10 dB
    short_noises_by_sound: dict[str, Detections]
    snr_mae_db: float | None
    snr_spearman: float | None
    low_snr_clean: Share  # windows with an estimated SNR under 15 dB and a probability below the threshold
    high_snr_noisy: Share  # windows with an estimated SNR above 28 dB and a probability at or above it

    def json(self) -> dict[str, Any]:
        """The figures for json.dump."""
        return asdict(self)


def of_scorer(figures: Mapping[str, Any]) -> Pooled:
    """The figures of a network from its part of a report's JSON. Raises KeyError or TypeError for other reports."""
    streams, snr = figures["streams"], figures.get("snr", {})  # no SNR was ever estimated
    agreement = figures.get("agreement", {"windows": 0})
    return Pooled(
        auc={name: figures["live"]["all"][0] if name == "live" else figures["auc"][name][0] for name in AUC},
        alarms={
            style: StyleAlarms.of({source: _rate(rate) for source, rate in alarms["sources"].items()})
            for style, alarms in streams["alarms"].items()
        },
        delays={snr_db: _detections(found) for snr_db, found in streams["delays"]["all"].items()},
        second_voice={snr_db: _detections(found) for snr_db, found in streams["second_voice"].items()},
        short_noises=_detections(streams["short_noises"]),
        short_noises_by_sound={s: _detections(found) for s, found in streams["short_noises_by_sound"].items()},
        snr_mae_db=snr.get("mae_db", [None])[0],
        snr_spearman=snr.get("spearman", [None])[0],
        low_snr_clean=_share(agreement, "low_snr_clean"),
        high_snr_noisy=_share(agreement, "high_snr_noisy"),
    )


def pooled(parts: Sequence[Pooled]) -> Pooled:
    """The figures of several networks as one. No source may be in two of them."""
    return Pooled(
        auc={name: _mean(part.auc[name] for part in parts) for name in AUC},
        alarms={
            style: StyleAlarms.of({s: rate for alarms in found for s, rate in alarms.sources.items()})
            for style, found in _grouped(part.alarms for part in parts).items()
        },
        delays=_all_detections(part.delays for part in parts),
        second_voice=_all_detections(part.second_voice for part in parts),
        short_noises=Detections.pooled(part.short_noises for part in parts),
        short_noises_by_sound=_all_detections(part.short_noises_by_sound for part in parts),
        snr_mae_db=_mean(part.snr_mae_db for part in parts),
        snr_spearman=_mean(part.snr_spearman for part in parts),
        low_snr_clean=_sum(part.low_snr_clean for part in parts),
        high_snr_noisy=_sum(part.high_snr_noisy for part in parts),
    )


def _rate(rate: Mapping[str, Any]) -> AlarmRate:
    return AlarmRate.of(rate["alarms"], rate["seconds"], rate["noisy_seconds"], rate["unjudged_seconds"])


def _detections(found: Mapping[str, Any]) -> Detections:
    return Detections.of(found["already_on"], found["missed"], found["start_delays_s"], found["end_delays_s"])


def _share(agreement: Mapping[str, Any], name: str) -> Share:
    windows = agreement["windows"]
    return Share(round(agreement[name][0] * windows), windows) if windows else Share(0, 0)


def _all_detections(groups: Iterable[Mapping[str, Detections]]) -> dict[str, Detections]:
    return {name: Detections.pooled(found) for name, found in _grouped(groups).items()}


def _grouped(groups: Iterable[Mapping[str, T]]) -> dict[str, list[T]]:
    """What several mappings have under each key."""
    groups = list(groups)
    names = dict.fromkeys(name for group in groups for name in group)
    return {name: [group[name] for group in groups if name in group] for name in names}


def _sum(shares: Iterable[Share]) -> Share:
    return Share(*map(sum, zip(*shares, strict=True)))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
