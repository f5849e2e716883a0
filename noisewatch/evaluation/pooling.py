"""Figures of networks that were each measured on different sources, and the same figures pooled."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeVar

from .stream_figures import AlarmRate, Detections, StreamFigures, StyleAlarms

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
    streams: StreamFigures
    snr_mae_db: float | None
    snr_spearman: float | None
    low_snr_clean: Share  # windows with an estimated SNR under 15 dB and a probability below the threshold
    high_snr_noisy: Share  # windows with an estimated SNR above 28 dB and a probability at or above it

    def json(self) -> dict[str, Any]:
        """The figures for json.dump."""
        return asdict(self)


def of_scorer(figures: Mapping[str, Any]) -> Pooled:
    """The figures of a network from its part of a report's JSON. Raises KeyError or TypeError for other reports."""
    snr = figures.get("snr", {})  # absent if no SNR was ever estimated
    agreement = figures.get("agreement", {"windows": 0})
    return Pooled(
        auc={name: figures["live"]["all"][0] if name == "live" else figures["auc"][name][0] for name in AUC},
        streams=read_streams(figures["streams"]),
        snr_mae_db=snr.get("mae_db", [None])[0],
        snr_spearman=snr.get("spearman", [None])[0],
        low_snr_clean=_share(agreement, "low_snr_clean"),
        high_snr_noisy=_share(agreement, "high_snr_noisy"),
    )


def pooled(parts: Sequence[Pooled]) -> Pooled:
    """The figures of several networks as one."""
    return Pooled(
        auc={name: _mean(part.auc[name] for part in parts) for name in AUC},
        streams=pooled_streams([part.streams for part in parts]),
        snr_mae_db=_mean(part.snr_mae_db for part in parts),
        snr_spearman=_mean(part.snr_spearman for part in parts),
        low_snr_clean=_sum(part.low_snr_clean for part in parts),
        high_snr_noisy=_sum(part.high_snr_noisy for part in parts),
    )


def read_streams(found: Mapping[str, Any]) -> StreamFigures:
    """Stream figures from their JSON. Raises KeyError or TypeError for anything else."""
    return StreamFigures(
        threshold=found["threshold"],
        alarms=_alarms(found["alarms"]),
        alarms_under_40_db=_alarms(found["alarms_under_40_db"]),
        delays={kind: _by_name(by_snr) for kind, by_snr in found["delays"].items()},
        second_voice=_by_name(found["second_voice"]),
        short_noises=_detections(found["short_noises"]),
        short_noises_by_sound=_by_name(found["short_noises_by_sound"]),
        notes=tuple(found["notes"]),
    )


def pooled_streams(parts: Sequence[StreamFigures]) -> StreamFigures:
    """The figures of several networks at one threshold, on different sources, as one."""
    return StreamFigures(
        threshold=parts[0].threshold,
        alarms=_all_alarms(part.alarms for part in parts),
        alarms_under_40_db=_all_alarms(part.alarms_under_40_db for part in parts),
        delays={kind: _all_detections(found) for kind, found in _grouped(part.delays for part in parts).items()},
        second_voice=_all_detections(part.second_voice for part in parts),
        short_noises=Detections.pooled(part.short_noises for part in parts),
        short_noises_by_sound=_all_detections(part.short_noises_by_sound for part in parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _alarms(by_style: Mapping[str, Any]) -> dict[str, StyleAlarms]:
    return {
        style: StyleAlarms.of({source: _rate(rate) for source, rate in alarms["sources"].items()})
        for style, alarms in by_style.items()
    }


def _all_alarms(groups: Iterable[Mapping[str, StyleAlarms]]) -> dict[str, StyleAlarms]:
    return {
        style: StyleAlarms.of(
            {
                source: AlarmRate.pooled(rates)
                for source, rates in _grouped(alarms.sources for alarms in found).items()
            }
        )
        for style, found in _grouped(groups).items()
    }


def _rate(rate: Mapping[str, Any]) -> AlarmRate:
    return AlarmRate.of(rate["alarms"], rate["seconds"], rate["noisy_seconds"], rate["unjudged_seconds"])


def _detections(found: Mapping[str, Any]) -> Detections:
    return Detections.of(found["already_on"], found["missed"], found["start_delays_s"], found["end_delays_s"])


def _share(agreement: Mapping[str, Any], name: str) -> Share:
    windows = agreement["windows"]
    return Share(round(agreement[name][0] * windows), windows) if windows else Share(0, 0)


def _by_name(found: Mapping[str, Any]) -> dict[str, Detections]:
    return {name: _detections(each) for name, each in found.items()}


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
