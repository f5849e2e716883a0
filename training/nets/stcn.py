"""A streaming temporal convolutional network: features are computed once, verdicts from those of the window.

Like `tcn`, but its convolutions look back, 0.13 s ahead at most, so a stream pays for new frames only. No state
may depend on the window, so the input is normalised by the loudest frame nearby rather than by the loud part of the
window; the levels that this removes return behind the trunk.

A feature depends on the last 1 s. A verdict depends on the newest 95 features, and with them on no frame before the
last 298, however long the stream is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from noisewatch.audio.logmel import FRAMES, MELS
from noisewatch.core.events import KINDS

from .head import BROADBAND_RANKS, DB, MEL_SUM_DB, POOL, RANGE_DB, Head, Verdict, ascending
from .tcn import layers

HOP = 10  # frames per verdict, 0.1 s
STRIDE = 2  # frames per feature
NEAR, NEAR_AHEAD = 31, 5  # frames around a frame that it is normalised by, and how many of them follow it
STEM = 5  # frames
DILATIONS = (1, 2, 4, 1, 2, 4, 1, 2)  # features
REACH = 2 * sum(DILATIONS)  # features
AHEAD = NEAR_AHEAD + STEM // 2 + STRIDE * DILATIONS.count(1)  # frames that a feature looks ahead
CONTOUR = REACH - 2  # steps of level
TOKENS = 95  # features of a verdict, of the 98 that fit into the window
BLOCK = HOP // STRIDE  # features
BLOCKS = TOKENS // BLOCK
EVENT, NOW = 3, 5  # blocks: the shortest noise that is scored, the last 0.5 s
FLOORS = (FRAMES - 8) // HOP  # means over 0.1 s of the bands, of which the lowest show a steady floor
LEVELS = FRAMES // POOL  # means over 50 ms of the level
LOUD = 6  # of these make the loud part of the window
STEEP_DB = 20.0  # larger steps of the level are clamped


Plan = dict[tuple[int, ...], list[int]]  # how many values each operation looks back, by the shape of one of them


class Carry:
    """What a stream carries from call to call: the last inputs of every operation that looks back.

    Without a state, operations see only what a call gives: outputs are fewer, and all are valid. In the state, the
    values of one shape lie together, so that one operator of a model file splits them.
    """

    def __init__(self, plan: Plan | None = None, state: Tensor | None = None) -> None:
        """plan: what operations of one stream look back, in their order; state: (B, numbers), zeros at first."""
        self.streams = state is not None
        self._before: dict[tuple[int, ...], list[Tensor]] = {}
        self._new: dict[tuple[int, ...], list[Tensor]] = {shape: [] for shape in plan or {}}
        if plan is not None and state is not None:
            sizes = [math.prod(shape) * sum(counts) for shape, counts in plan.items()]
            for (shape, counts), part in zip(plan.items(), torch.split(state, sizes, 1), strict=True):
                self._before[shape] = list(torch.split(part.reshape(-1, *shape, sum(counts)), counts, -1))

    def __call__(self, x: Tensor, count: int) -> Tensor:
        """`x` (..., T) with the `count` values that came before it."""
        if not self.streams:
            return x
        shape = tuple(map(int, x.shape[1:-1]))
        joined = torch.cat([self.before(x, shape, count), x], -1)
        self._new[shape].append(joined[..., -count:])
        return joined

    def before(self, x: Tensor, shape: tuple[int, ...], count: int) -> Tensor:
        """The last `count` values of this shape of the call before."""
        return self._before[shape].pop(0)

    def newest(self, x: Tensor, count: int) -> Tensor:
        """`x` cut to the length that it has in a stream, where nothing is missing at its start."""
        return x if self.streams else x[..., -count:]

    @property
    def new_state(self) -> Tensor:
        """The state for the next call."""
        parts = [torch.cat(new, -1) for new in self._new.values()]
        return torch.cat([part.reshape(-1, math.prod(map(int, part.shape[1:]))) for part in parts], 1)


class Planning(Carry):
    """Finds out what the operations look back."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = True
        self.plan: Plan = {}

    def before(self, x: Tensor, shape: tuple[int, ...], count: int) -> Tensor:
        self.plan.setdefault(shape, []).append(count)
        self._new.setdefault(shape, [])
        return x.new_zeros(x.shape[0], *shape, count)


class Block(nn.Module):
    """x + f(x) as in `tcn`, without padding: it looks back, and ahead only if it is not dilated."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.f = layers(channels, dilation, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        same = x[..., 1:-1] if self.dilation == 1 else x[..., 2 * self.dilation :]
        return torch.relu(same + self.f(x))


class Trunk(nn.Module):
    """Features of the frames, and the level that the input of each was divided by."""

    def __init__(self, channels: int, stem: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, STEM, 2, (STEM // 2, 0), bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        self.widen = nn.Sequential(
            nn.Conv2d(stem, channels, (MELS // 2, 1), bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.blocks = nn.ModuleList(Block(channels, dilation) for dilation in DILATIONS)
        self.contour = nn.Sequential(nn.Conv2d(1, 24, (1, CONTOUR)), nn.ReLU())
        self.join = nn.Sequential(
            nn.Conv2d(channels + 24, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )

    def forward(self, bands: Tensor, level: Tensor, carry: Carry) -> tuple[Tensor, Tensor]:
        """(B, 1, 40, T) natural log and (B, 1, 1, T) dB -> features (B, C, 1, N) and levels (B, 1, 1, N) dB."""
        near = F.max_pool2d(carry(level, NEAR - 1), (1, NEAR), 1)
        x = carry.newest(carry(bands, NEAR_AHEAD)[..., :-NEAR_AHEAD], FRAMES - NEAR + 1)
        x = ((x * DB - near) / 30 + 1).clamp(-1.5, 1.5)
        y = self.widen(self.stem(carry.newest(carry(x, STEM - STRIDE), FRAMES - NEAR)))  # (B, C, 1, T / 2)
        for dilation, block in zip(DILATIONS, self.blocks, strict=True):
            y = block(carry(y, 2 * dilation))
        late = AHEAD - NEAR_AHEAD
        near = carry(near, late)[..., 1:-late:STRIDE]  # (B, 1, 1, T / 2)
        steps = carry(near, 1)
        steps = ((steps[..., 1:] - steps[..., :-1]) / 10).clamp(-2, 2)
        contour = self.contour(carry(steps, CONTOUR - 1))
        return carry.newest(self.join(torch.cat([y, contour], 1)), TOKENS), carry.newest(near, TOKENS)


class STCN(Head):
    """The network: (B, 298, 40) log-Mel and (B,) dBFS in, a verdict out; or any number of hops with a state."""

    tracks_span = (48, 143)

    def __init__(self, channels: int = 96, stem: int = 12, hidden: int = 64) -> None:
        super().__init__(3 * channels + 32, hidden)
        self.trunk = Trunk(channels, stem)
        self.tracks = nn.Conv2d(channels, 2, 1)
        self.order = nn.Linear(4 * MELS, 32)
        self.now = nn.Sequential(nn.Linear(2 * channels + hidden + 3, 32), nn.ReLU(), nn.Linear(32, 1))
        self.kind = nn.Linear(hidden, len(KINDS))

    @property
    def plan(self) -> Plan:
        """What the operations of one stream look back."""
        planning = Planning()
        with torch.no_grad():
            self.judge(torch.zeros(1, HOP, MELS), torch.zeros(1), planning)
        return planning.plan

    def forward(self, logmel: Tensor, reference: Tensor) -> Verdict:
        return self.judge(logmel, reference, Carry())

    def judge(self, logmel: Tensor, reference: Tensor, carry: Carry) -> Verdict:
        """A verdict for every hop (B, 10 S, 40) of a stream, or without a state for each window (B, 298, 40)."""
        bands = logmel.transpose(1, 2).unsqueeze(1)  # (B, 1, 40, T)
        level = torch.log(torch.exp(bands).sum(2, keepdim=True)) * DB  # (B, 1, 1, T)
        f, near = self.trunk(bands, level, carry)  # (B, C, 1, 5 S), (B, 1, 1, 5 S)
        mean = carry(F.avg_pool2d(f, (1, BLOCK)), BLOCKS - 1)  # (B, C, 1, S + 18)
        top = carry(F.max_pool2d(f, (1, BLOCK)), BLOCKS - 1)
        pooled = [
            F.avg_pool2d(mean, (1, BLOCKS), 1),
            F.max_pool2d(top, (1, BLOCKS), 1),
            F.max_pool2d(F.avg_pool2d(mean, (1, EVENT), 1), (1, BLOCKS - EVENT + 1), 1),
            F.avg_pool2d(mean[..., BLOCKS - NOW :], (1, NOW), 1),
            F.max_pool2d(top[..., BLOCKS - NOW :], (1, NOW), 1),
        ]
        floors = F.avg_pool2d(carry.newest(bands, FLOORS * HOP), (1, HOP))  # (B, 1, 40, S)
        floors = carry(floors, FLOORS - 1).transpose(1, 2) * DB
        lowest = [
            -F.max_pool2d(-floors, (1, FLOORS), 1),
            F.avg_pool2d(-F.max_pool2d(-floors, (1, 5), 1), (1, FLOORS - 4), 1),
            F.avg_pool2d(floors, (1, FLOORS), 1),
            F.max_pool2d(floors, (1, FLOORS), 1),
        ]
        tracks = carry(15 * self.tracks(f) - 10 + near, TOKENS - BLOCK)
        levels = F.avg_pool2d(carry.newest(level, LEVELS * POOL), (1, POOL))
        levels = carry(levels, LEVELS - HOP // POOL)
        against = pooled[0][:, :1] * 0 + reference.reshape(-1, 1, 1, 1)
        parts = [*pooled, *lowest, unfolded(tracks, TOKENS, BLOCK), unfolded(levels, LEVELS, HOP // POOL), against]
        sizes = [int(p.shape[1]) for p in pooled], 4 * MELS, 2 * TOKENS, LEVELS, 1
        rows = torch.cat(parts, 1).transpose(1, 3).reshape(-1, sum(sizes[0]) + sum(sizes[1:]))  # (B S, features)
        pooled_, lowest_, tracks, levels, reference = torch.split(rows, [sum(sizes[0]), *sizes[1:]], 1)

        rising = ascending(levels.unsqueeze(1))[:, 0]  # (B S, 59)
        loud = rising[:, -LOUD:].mean(1, keepdim=True)
        quantiles = (rising[:, list(BROADBAND_RANKS)] - loud).clamp(-RANGE_DB, 10.0)
        tracks = (tracks.reshape(-1, 2, TOKENS) - loud.unsqueeze(2)).clamp(-90.0, 20.0)
        order = torch.relu(self.order(((lowest_ - loud).clamp(-RANGE_DB, 10.0)) / 40 + 1))
        window, recent = torch.split(pooled_, [sum(sizes[0][:3]), sum(sizes[0][3:])], 1)
        verdict, hidden = self.verdict(
            torch.cat([window, order], 1), quantiles, tracks, loud - MEL_SUM_DB, reference[:, 0]
        )
        noise_dbfs = tracks[:, 1, -NOW * BLOCK :].amax(1, keepdim=True) + loud - MEL_SUM_DB
        assert verdict.voice_dbfs is not None
        voice_dbfs = verdict.voice_dbfs.unsqueeze(1)
        levels_now = torch.cat([voice_dbfs - noise_dbfs, reference - noise_dbfs, loud - MEL_SUM_DB - noise_dbfs], 1)
        now = self.now(torch.cat([recent, hidden, (levels_now / 20).clamp(-4, 4)], 1))[:, 0]
        return verdict._replace(now=now, kind=self.kind(hidden))


def unfolded(x: Tensor, size: int, hop: int) -> Tensor:
    """The windows of `size` steps in x (B, C, 1, N), `hop` apart: (B, C size, 1, S).

    A convolution with ones and zeros, because slices of a length that varies do not export.
    """
    channels = int(x.shape[1])
    one = torch.eye(size, device=x.device, dtype=x.dtype).reshape(size, 1, 1, size).repeat(channels, 1, 1, 1)
    return F.conv2d(x, one, stride=(1, hop), groups=channels)
