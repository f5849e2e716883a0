"""The front end inside the graph: a waveform goes in, so that a phone, a browser or C needs no signal processing.

The same filters as `audio.highpass` and `audio.logmel`, in double precision. ONNX has no operator for a recursive
filter: as in the runtime, it is a cumulative sum within each block of 10 ms. What a block leaves has decayed to
nothing after 0.8 s, so across blocks it is a sum over 80 of them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from noisewatch.audio.highpass import HighPass
from noisewatch.audio.logmel import FrontendConfig, mel_filters
from noisewatch.audio.signal import BLOCK

from .nets.stcn import HOP

DECAY = 80  # blocks
OVERLAP = 2 * BLOCK  # samples that a frame shares with the next hop
NUMBERS = 2 + DECAY * 4 + OVERLAP  # in the state: begun, offset, what the last blocks left, the last samples


class FrontEnd(nn.Module):
    """Samples (1, 1600 n) and a state (1, NUMBERS) float64 -> log-Mel frames (1, 10 n, 40) and the new state."""

    left: Tensor  # (DECAY 4, 4): what each of the last blocks leaves of the ends of its sums
    rise: Tensor  # (4, BLOCK), as is `fall`
    fall: Tensor
    hann: Tensor
    mel: Tensor

    def __init__(self, config: FrontendConfig) -> None:
        super().__init__()
        self.config, filter_ = config, HighPass(config)
        self.direct = filter_.direct
        poles = np.array(filter_.poles)
        n = np.arange(DECAY, 0, -1) * BLOCK
        powers = poles[:, None] ** n  # (pairs, DECAY): of the block that came so many blocks before
        pairs = len(poles)
        left = np.zeros((DECAY, 2 * pairs, 2 * pairs))  # real and imaginary parts, of ends and of what is left
        for i in range(pairs):
            left[:, i, i], left[:, pairs + i, i] = powers[i].real, -powers[i].imag
            left[:, i, pairs + i], left[:, pairs + i, pairs + i] = powers[i].imag, powers[i].real
        self.register_buffer("left", torch.from_numpy(left.reshape(DECAY * 2 * pairs, 2 * pairs)))
        self.register_buffer("rise", torch.from_numpy(filter_.rise[:, 0]))  # (2 pairs, BLOCK)
        self.register_buffer("fall", torch.from_numpy(filter_.fall[:, 0]))
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.n_fft) / config.n_fft)
        self.register_buffer("hann", torch.from_numpy(hann))
        self.register_buffer("mel", torch.from_numpy(mel_filters(config)))

    def forward(self, audio: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        whole = audio.reshape(-1, HOP * BLOCK)  # fails unless whole steps are given
        x = whole.reshape(-1, BLOCK).double()  # (k, BLOCK)
        begun, offset, ends, tail = torch.split(state, [1, 1, DECAY * 4, OVERLAP], 1)
        offset = begun * offset + (1 - begun) * x[:1].mean(
            1, keepdim=True
        )  # before its start, the signal was constant
        x = x - offset
        sums = torch.cumsum(x.unsqueeze(1) * self.rise, 2)  # (k, 4, BLOCK)
        ends = torch.cat([ends.reshape(DECAY, 4), sums[:, :, -1]])  # (DECAY + k, 4)
        rows = torch.arange(x.shape[0]).unsqueeze(1) + torch.arange(DECAY)  # (k, DECAY)
        before = ends[rows].reshape(-1, DECAY * 4) @ self.left  # (k, 4)
        y = self.direct * x + ((sums + before.unsqueeze(2)) * self.fall).sum(1)
        heard = torch.cat([tail, y.float().double().reshape(1, -1)], 1)
        spectrum = torch.stft(
            heard, self.config.n_fft, self.config.hop, window=self.hann, center=False, return_complex=False
        )  # (1, bins, k, 2)
        power = spectrum.square().sum(3).transpose(1, 2)  # (1, k, bins)
        frames = torch.log(power @ self.mel + self.config.log_floor).float()
        new = [torch.ones_like(begun), offset, ends[-DECAY:].reshape(1, -1), heard[:, -OVERLAP:]]
        return frames, torch.cat(new, 1)
