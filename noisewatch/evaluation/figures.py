"""Results of an evaluation: figures with intervals, by scorer. `json()` returns what the command writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .estimate import Estimate
from .stream_figures import StreamFigures


@dataclass(frozen=True)
class Reliability:
    """How reliable the probabilities are: of the windows given 0.8, four in five should be noisy."""

    expected_error: Estimate
    bins: tuple[tuple[float, float, float], ...]  # mean probability, share of noisy windows, share of all windows


@dataclass(frozen=True)
class Decisions:
    """A scorer's decisions at its threshold."""

    threshold: float
    balanced_accuracy: dict[str, Estimate]  # by SNR, such as "10 dB", and "0-20 dB"
    clean_called_noisy: dict[str, Estimate]  # share of the clean windows: those with "speech", and "all"
    calibration: Reliability


@dataclass(frozen=True)
class SnrErrors:
    """Estimated against true SNR, over windows of 0 to 30 dB."""

    mae_db: Estimate
    bias_db: Estimate
    spearman: Estimate  # rank correlation
    estimated_share: float  # share of the windows with an estimate


@dataclass(frozen=True)
class Agreement:
    """Whether SNR and verdict agree, over windows of 0 to 30 dB with an estimated SNR."""

    windows: int
    low_snr_clean: Estimate  # share with an estimated SNR below 15 dB and a probability below the threshold
    high_snr_noisy: Estimate  # share with an estimated SNR above 28 dB and a probability at or above it


@dataclass(frozen=True)
class ScorerFigures:
    """Every figure of one scorer on a split. AUC is the area under the ROC curve, clean against noisy."""

    unjudged: int  # windows that it could not judge; excluded from every figure
    # Clean speech against speech with noise, by SNR. "0-20 dB" is the mean of 0, 5, ..., 20 dB.
    auc: dict[str, Estimate]
    live: dict[str, Estimate]  # all clean windows against noisy ones, by situation, and "all"
    by_noise_kind: dict[str, Estimate]
    by_noise_source: dict[str, Estimate]
    by_voice_source: dict[str, Estimate]
    decisions: Decisions | None = None  # for scorers with a threshold
    snr: SnrErrors | None = None  # for scorers that estimate the SNR
    agreement: Agreement | None = None  # for scorers with both
    # AUC at 0-20 dB by condition, such as "telephone".
    conditions: dict[str, Estimate] = field(default_factory=dict)
    streams: StreamFigures | None = None  # for models

    def json(self) -> dict[str, Any]:
        """The figures for json.dump. Groups that do not apply to the scorer are omitted."""
        groups: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if name == "decisions":
                groups |= value or {}
            elif value is not None:
                groups[name] = value
        return groups


@dataclass(frozen=True)
class Report:
    """All figures of all scorers on one split of a manifest, and how they were obtained."""

    split: str
    left_out: int  # recordings that could not be used
    noisewatch: str  # version
    made: str  # date, ISO 8601
    machine: str
    seed: int
    windows: int
    speakers: int
    scorers: dict[str, ScorerFigures]
    differences: dict[str, Estimate]  # mean AUC over 0-20 dB of the first scorer minus that of each other

    def json(self) -> dict[str, Any]:
        """The report for json.dump."""
        return {**asdict(self), "scorers": {name: figures.json() for name, figures in self.scorers.items()}}


@dataclass(frozen=True)
class WindowScores:
    """The figures of one scorer on one file of fixed windows. None if there is nothing to compute them from."""

    windows: str  # name of the file
    scorer: str
    clean: int
    noisy: int
    unjudged: int  # excluded from every figure
    auc: dict[str, float | None]  # by SNR or situation, "0-20 dB" if all of its steps are present, and "all"
    balanced_accuracy: float | None = None  # at the threshold, for scorers that have one
    false_alarms: float | None = None  # share of the clean windows called noisy
    snr_mae_db: float | None = None  # up to 30 dB

    def json(self) -> dict[str, Any]:
        """The scores for json.dump. Without values, threshold figures and the SNR error are omitted."""
        known = asdict(self)
        for name in ("balanced_accuracy", "false_alarms", "snr_mae_db"):
            if known[name] is None:
                del known[name]
        return known
