"""Figures of one scorer over the test windows of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..corpus.catalogue import Catalogue
from ..corpus.render import NOISY_DB
from .estimate import Estimate
from .figures import Agreement, Decisions, Reliability, ScorerFigures, SnrErrors
from .scorers import Judgement
from .statistics import balanced_accuracy, clustered, reliability, roc_auc, spearman
from .testset import SNRS, Item

MEAN_OF = tuple(s for s in SNRS if s <= NOISY_DB)  # the SNRs whose mean AUC is the figure to compare
FEWEST = 20  # with fewer windows of a kind or source, a figure means nothing
SURE_NOISY_DB, SURE_CLEAN_DB = 15.0, 28.0  # an estimated SNR that contradicts the opposite verdict
LIVE = ("noise alone", "speech", "dense speech", "gated noise")

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int_]


class WindowSet:
    """The labels of test windows as arrays (n,), and the figures of scores (n,) against them. nan: not judged."""

    def __init__(self, items: Sequence[Item], catalogue: Catalogue) -> None:
        voices = [None if i.voice is None else catalogue.speech[i.voice].row for i in items]
        noises = [None if i.noise is None else catalogue.noise[i.noise].row for i in items]
        self.situation = np.array([i.situation for i in items])
        self.noisy = np.array([i.noisy for i in items])
        self.snr = np.array([np.nan if i.snr_db is None else i.snr_db for i in items])
        self.voice_source = np.array([v.source if v else "" for v in voices])
        self.noise_source = np.array([n.source if n else "" for n in noises])
        # A group may have the form kind:recording.
        self.kind = np.array([n.group.split(":")[0] if n and ":" in n.group else "" for n in noises])
        alone = [f"noise {n.source}/{n.group}" if n else "quiet" for n in noises]
        self.speaker = np.array([f"{v.source}/{v.group}" if v else a for v, a in zip(voices, alone, strict=True)])
        self.speakers = len({f"{v.source}/{v.group}" for v in voices if v})
        self.mixed = self.situation == "speech"
        self.clean_speech = self.mixed & ~self.noisy
        self.scored = self.noisy & ~(self.snr > NOISY_DB)  # noisy by the definition
        self.speech_noisy = self.mixed & self.scored
        self.at_snr = {f"{value:g} dB": self.mixed & (self.snr == value) for value in SNRS}

    def figures(self, judged: Sequence[Judgement], threshold: float | None) -> ScorerFigures:
        """All figures of one scorer's judgements, one per window."""
        noise, snr = numbers([j.noise for j in judged]), numbers([j.snr_db for j in judged])
        auc = {name: self._auc(noise, self.clean_speech, noisy) for name, noisy in self.at_snr.items()}
        situations = {name: self.scored & (self.situation == name) for name in LIVE} | {"all": self.scored}
        return ScorerFigures(
            unjudged=int(np.isnan(noise).sum()),
            auc={**auc, "0-20 dB": self.mean_auc(noise)},
            live={name: self._auc(noise, ~self.noisy, noisy) for name, noisy in situations.items()},
            by_noise_kind=self._by(self.kind, self.speech_noisy, noise),
            by_noise_source=self._by(self.noise_source, self.speech_noisy, noise),
            by_voice_source=self._by(self.voice_source, self.clean_speech, noise),
            decisions=None if threshold is None else self._decisions(noise, threshold),
            snr=self._snr_errors(snr),
            agreement=None if threshold is None else self._agreement(noise, snr, threshold),
        )

    def mean_auc(self, noise: Numbers) -> Estimate:
        """Mean AUC over 0 to 20 dB."""
        return self._estimate(lambda at: self._mean_auc(noise, at), self.mixed)

    def difference(self, ours: Numbers, theirs: Numbers) -> Estimate:
        """Mean AUC over 0 to 20 dB of one scorer minus that of another, on the same windows."""
        return self._estimate(lambda at: self._mean_auc(ours, at) - self._mean_auc(theirs, at), self.mixed)

    def _mean_auc(self, noise: Numbers, chosen: Indices) -> float:
        clean = chosen[self.clean_speech[chosen]]
        at = [chosen[self.mixed[chosen] & (self.snr[chosen] == s)] for s in MEAN_OF]
        return float(np.mean([_auc(noise[clean], noise[noisy]) for noisy in at]))

    def _estimate(self, figure: Callable[[Indices], float], of: Mask) -> Estimate:
        """A figure of the windows in a mask, and its 95 % interval over resampled speakers."""
        return Estimate.of(figure(np.flatnonzero(of)), *clustered(figure, self.speaker, of=of))

    def _auc(self, noise: Numbers, clean: Mask, noisy: Mask) -> Estimate:
        return self._estimate(lambda at: _auc(noise[at[clean[at]]], noise[at[noisy[at]]]), clean | noisy)

    def _by(self, labels: NDArray[np.str_], counted: Mask, noise: Numbers) -> dict[str, Estimate]:
        """AUC by label, for labels with enough windows. A label of noises is compared with all clean speech."""
        result = {}
        for name in sorted(set(labels[counted].tolist()) - {""}):
            mine = labels == name
            if (counted & mine).sum() >= FEWEST:
                clean = self.clean_speech & mine if labels is self.voice_source else self.clean_speech
                result[str(name)] = self._auc(noise, clean, self.speech_noisy & mine)
        return result

    def _decisions(self, noise: Numbers, threshold: float) -> Decisions:
        known = ~np.isnan(noise)
        clean = self.clean_speech & known
        sure = known & (~self.noisy | self.scored)

        def accuracy(noisy: Mask) -> Estimate:
            return self._estimate(
                lambda at: balanced_accuracy(noise[at[clean[at]]], noise[at[noisy[at]]], threshold), clean | noisy
            )

        def share(of: Mask) -> Estimate:
            return self._estimate(
                lambda at: float((noise[at] >= threshold).mean()) if len(at) else float("nan"), of
            )

        groups: Mapping[str, Mask] = {**self.at_snr, "0-20 dB": self.speech_noisy}
        return Decisions(
            threshold=threshold,
            balanced_accuracy={name: accuracy(noisy & known) for name, noisy in groups.items()},
            clean_called_noisy={"speech": share(clean), "all": share(~self.noisy & known)},
            calibration=Reliability(
                expected_error=self._estimate(lambda at: reliability(noise[at], self.scored[at])[0], sure),
                bins=reliability(noise[sure], self.scored[sure])[1],
            ),
        )

    def _snr_errors(self, snr: Numbers) -> SnrErrors | None:
        estimated = self.mixed & self.noisy & ~np.isnan(snr)
        if not estimated.any():
            return None
        error = snr - self.snr
        return SnrErrors(
            mae_db=self._estimate(lambda at: float(np.abs(error[at]).mean()), estimated),
            bias_db=self._estimate(lambda at: float(error[at].mean()), estimated),
            spearman=self._estimate(lambda at: spearman(snr[at], self.snr[at]), estimated),
            estimated_share=float(estimated.sum() / (self.mixed & self.noisy).sum()),
        )

    def _agreement(self, noise: Numbers, snr: Numbers, threshold: float) -> Agreement | None:
        known = self.mixed & self.noisy & ~np.isnan(snr) & ~np.isnan(noise)
        if not known.any():
            return None
        on = noise >= threshold
        return Agreement(
            windows=int(known.sum()),
            low_snr_clean=self._estimate(lambda at: float(((snr < SURE_NOISY_DB) & ~on)[at].mean()), known),
            high_snr_noisy=self._estimate(lambda at: float(((snr > SURE_CLEAN_DB) & on)[at].mean()), known),
        )


def numbers(values: Sequence[float | None]) -> Numbers:
    """Scores as an array, nan for None."""
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _auc(clean: Numbers, noisy: Numbers) -> float:
    return roc_auc(clean[~np.isnan(clean)], noisy[~np.isnan(noisy)])
