"""What every network shares: the normaliser in front of its trunk, and the outputs behind it.

A trunk turns a normalised log-Mel window into features over time; everything that makes the verdict
independent of the microphone's gain, and able to tell a quiet room from a fan, is here.

The main output is one distribution over the SNR. The probability of noise is that of an SNR at or below 36 dB, and
the SNR is its median, so the two do not contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.audio.levels import ACTIVE_RANGE_DB
from noisewatch.audio.logmel import FRAMES, MELS
from noisewatch.core.model import HEARD_DB

DB = 10 / 2.302585  # natural-log power -> dB
# Summed Mel power over mean square: 46.2 dB measured on white noise. The network learns the remaining error.
MEL_SUM_DB = 46.4
RANGE_DB = 80.0  # anything further below the loud part of the window is ignored
POOL = 5  # frames averaged before sorting (50 ms): sorting 59 values per band is five times cheaper than 298
RANKS = (2, 5, 9, 15, 29, 44, 53, 57)  # of the 59 sorted values: about 3, 9, 15, 25, 50, 75, 90, 97 %
BROADBAND_RANKS = (2, 5, 9, 15, 22, 29, 36, 44, 50, 53, 56, 58)
EVENT = 30  # frames: the loudest 0.3 s, the shortest noise that is scored
LEAST_DB = -45.0  # re the loud part: the levels of voice and noise are clamped here
TRACK_RANKS = (0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)


class Normalise(nn.Module):
    """Log-Mel relative to the loud part of its own window, so that gain cannot matter."""

    def forward(self, logmel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, M) natural log -> window (B, T, M) in -1..1.25, level (B, T) dB re loud, loud (B, 1) dBFS."""
        # The front end's floor keeps the logarithm finite; ONNX Runtime's logsumexp costs more.
        level = torch.log(torch.exp(logmel).sum(2)) * DB  # (B, T)
        loud = level.topk(30, dim=1).values.mean(dim=1, keepdim=True)  # (B, 1): the loudest tenth
        x = (logmel * DB - loud.unsqueeze(2)).clamp(-RANGE_DB, 10.0)
        return x / 40 + 1, (level - loud).clamp(-RANGE_DB, 10.0), loud - MEL_SUM_DB


def ranked(x: Tensor, ranks: tuple[int, ...]) -> Tensor:
    """Order statistics over time of 50 ms means: (B, C, T) -> (B, C, len(ranks)), lowest first.

    Minimum statistics see a steady floor under speech that averages hide (R. Martin, 2001).
    """
    means = F.avg_pool1d(x, POOL)
    return ascending(means).index_select(2, torch.tensor(ranks, device=x.device))


def ascending(x: Tensor) -> Tensor:
    """x (B, C, T) sorted over time; `topk`, because `sort` does not export to ONNX."""
    return x.topk(int(x.shape[2]), dim=2, largest=False).values


def active_level(db: Tensor) -> Tensor:
    """Active level as in `audio.levels`, with a soft threshold: (B, C, T) dB -> (B, C) dB."""
    active = torch.sigmoid((db - db.amax(dim=2, keepdim=True) + ACTIVE_RANGE_DB) / 2)
    return torch.log((torch.exp(db / DB) * active).sum(dim=2) / active.sum(dim=2)) * DB


# What counts as noise. Noisy windows lie at or below 20 dB, clean ones at or above 40. The share at or below 20 dB
# would be 0.5 for a noise at 20 dB, no more than for a voice that is clean or at 10 dB.
RARE = math.log(5)  # in use, noise is rarer than in training, by this much in log-odds
EDGES = tuple(range(-12, 45, 2))  # dB SNR at which the distribution is evaluated
NOISE_EDGE = EDGES.index(36)  # noisy windows lie at or below 20 dB, clean ones at or above 40
STEP_DB = 2.0
FLOOR_DB = 46.0  # typical distance of a clean recording's floor


class Verdict(NamedTuple):
    """The outputs of a network for a batch of windows.

    The SNR is distributed as a mixture of logistic distributions: without a voice (SNR of the reference level) or
    with one (SNR of the voice), each with noise or with only a floor.
    """

    voice: Tensor  # (B,) logit
    # Without and with a voice: floor and noise, of an ensemble for each member (C components).
    weight: Tensor  # (B, 2, C) logarithms of weights that sum to 1
    centre: Tensor  # (B, 2, C) dB SNR
    sharpness: Tensor  # (B, 2, C) natural logarithm of the slope, 1/dB
    tracks: Tensor  # (B, 2, T') levels of the voice and of everything else over time, dB re the loud part
    # Of streaming networks only:
    now: Tensor | None = None  # (B,) logit of noise in the last 0.5 s
    kind: Tensor | None = None  # (B, 10) logits of the kinds of sound, in the order of `events.KINDS`
    voice_dbfs: Tensor | None = None  # (B,) active level of the voice

    @classmethod
    def joined(cls, verdicts: Sequence[Verdict]) -> Verdict:
        """The verdicts of several batches as one."""
        parts = zip(*verdicts, strict=True)
        return cls(*(None if part[0] is None else torch.cat(part) for part in parts))  # type: ignore[arg-type]

    def map(self, change: Callable[[Tensor], Tensor]) -> Verdict:
        """The same change made to every tensor."""
        return Verdict(*(None if part is None else change(part) for part in self))  # type: ignore[arg-type]

    def log_cdf(self, edges: Tensor, voice: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logarithms of P(SNR <= edge) and P(SNR > edge) at edges (E,): (B, E) each.

        voice: logits (B,) of a voice, if not the network's own.
        """
        spoken = self.voice if voice is None else voice
        weight = self.weight + F.logsigmoid(torch.stack([-spoken, spoken], 1)).unsqueeze(2)
        z = (edges - self.centre.unsqueeze(3)) * torch.exp(self.sharpness).unsqueeze(3)  # (B, 2, C, E)
        parts = [weight.unsqueeze(3) + F.logsigmoid(sign * z) for sign in (1, -1)]
        below, above = (torch.logsumexp(part.flatten(1, 2), 1) for part in parts)
        return below, above

    @property
    def noise(self) -> Tensor:
        """Logit of noise: of an SNR at or below 36 dB, with noise as rare as in use. (B,)."""
        below, above = self.log_cdf(torch.tensor(EDGES, dtype=torch.float32, device=self.voice.device))
        return below[:, NOISE_EDGE] - above[:, NOISE_EDGE] - RARE

    def quantiles(self, shares: tuple[float, ...]) -> list[Tensor]:
        """Quantiles of the SNR in dB, within the edges, linear between them: (B,) each."""
        cdf = torch.exp(self.log_cdf(torch.tensor(EDGES, dtype=torch.float32, device=self.voice.device))[0])
        low, p = cdf[:, :-1], cdf[:, 1:] - cdf[:, :-1]
        # The constant keeps the slope finite where runtimes would differ; it costs 0.1 dB.
        return [EDGES[0] + STEP_DB * ((q - low) / (p + 0.02)).clamp(0, 1).sum(1) for q in shares]

    @property
    def snr_db(self) -> Tensor:
        """Median of the SNR, (B,)."""
        return self.quantiles((0.5,))[0]

    @property
    def snr_width_db(self) -> Tensor:
        """Width of the central 80 % of the SNR's distribution, in dB below 28: above, all is clean. (B,)."""
        low, high = (quantile.clamp(max=HEARD_DB) for quantile in self.quantiles((0.1, 0.9)))
        return high - low

    def scaled(self, scale: float) -> Verdict:
        """The verdict after temperature scaling, Guo et al. 2017 (arXiv 1706.04599)."""
        weight = F.log_softmax(self.weight * scale, 2)
        return self._replace(weight=weight, sharpness=self.sharpness + math.log(scale))


class Head(nn.Module):
    """The last layers: from features of a window, and its levels, to a verdict."""

    def __init__(self, features: int, hidden: int) -> None:
        """features: how many `verdict` is given besides those of the levels."""
        super().__init__()
        features += len(BROADBAND_RANKS) + 2 * len(TRACK_RANKS) + 7
        self.mix = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.1))
        self.out = nn.Linear(hidden, 11)

    def verdict(
        self, features: Tensor, quantiles: Tensor, tracks: Tensor, loud: Tensor, reference: Tensor
    ) -> tuple[Verdict, Tensor]:
        """The verdict and the hidden layer (B, hidden) that it is computed from.

        features (B, F); quantiles (B, 12) of the level, dB re the loud part; tracks (B, 2, T') dB re the loud part;
        loud (B, 1) and reference (B,) dBFS.
        """
        times = int(tracks.shape[2])
        voice_db, noise_db = active_level(tracks).chunk(2, dim=1)  # (B, 1) each
        ranks = torch.tensor([round(r * (times - 1)) for r in TRACK_RANKS], device=tracks.device)
        spread = ascending(tracks).index_select(2, ranks).flatten(1) / 20

        quantiles = quantiles / 20
        above = (loud - reference.unsqueeze(1)) / 20  # the loud part against the reference voice
        against = torch.cat([above, above + quantiles[:, 1:2], above + quantiles[:, 5:6], above + noise_db / 20], 1)
        active = torch.cat([voice_db, noise_db, voice_db - noise_db], 1) / 20
        hidden = self.mix(torch.cat([features, quantiles, spread, active, against.clamp(-4, 4)], 1))
        voice, heard, floor, shift, sharpness = self.out(hidden).split([1, 2, 2, 2, 4], 1)
        noise = torch.cat([-20 * above - noise_db, voice_db - noise_db], 1)  # dB re the reference, re the voice
        centre = torch.stack([FLOOR_DB + 15 * floor, noise + 15 * shift], 2)  # (B, 2, 2)
        weight = F.logsigmoid(torch.stack([-heard, heard], 2))
        verdict = Verdict(voice[:, 0], weight, centre, sharpness.unflatten(1, (2, 2)) - 1, tracks)
        return verdict._replace(voice_dbfs=(voice_db + loud)[:, 0]), hidden


class NoiseNet(Head):
    """A trunk with the project's inputs and outputs.

    Inputs: `logmel` (B, 298, 40) raw natural-log Mel power, `reference` (B,) dBFS, the voice level that a
    silence is judged against.

    The levels of voice and noise are known every 20 ms in training, and are targets too: they carry far more
    information than one bit per window, and the verdict is computed from them.
    """

    tracks_span = (0, 150)  # the 20 ms of the window that `Verdict.tracks` covers

    def __init__(self, trunk: nn.Module, hidden: int = 48) -> None:
        channels = cast(int, trunk.channels)
        super().__init__(3 * channels + 32, hidden)
        self.normalise = Normalise()
        self.trunk = trunk  # (B, 1, 40, 298) -> (B, channels, T')
        self.tracks = nn.Conv1d(channels, 2, 1)
        self.order = nn.Linear(MELS * len(RANKS), 32)

    def forward(self, logmel: Tensor, reference: Tensor) -> Verdict:
        x, level, loud = self.normalise(logmel)  # (B, T, M), (B, T), (B, 1)
        x = x.transpose(1, 2)  # (B, M, T)
        f = self.trunk(x.unsqueeze(1))  # (B, C, T')
        times = int(f.shape[2])
        event = max(1, EVENT * times // FRAMES)
        loudest = F.avg_pool1d(f, event, stride=max(1, event // 6)).amax(dim=2)
        tracks = 15 * self.tracks(f) - 20  # (B, 2, T')
        quantiles = ranked(level.unsqueeze(1), BROADBAND_RANKS).squeeze(1)  # (B, 12)
        order = F.relu(self.order(ranked(x, RANKS).flatten(1)))
        features = torch.cat([f.mean(dim=2), f.amax(dim=2), loudest, order], 1)
        verdict, _ = self.verdict(features, quantiles, tracks, loud, reference)
        return verdict._replace(voice_dbfs=None)
