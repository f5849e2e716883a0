"""Augmentation of batches on the device: another microphone by random equalisers, another vocal tract by a stretch.

It works on cached log-Mel windows, where a batch of 64 costs 2 ms; biquads and pitch shift on waveforms would need
a cache four times as large and take seconds. Labels stay true because nothing moves in time and no band is masked:
SpecAugment's frequency masks moved the SNR of some windows by 30 dB, and lowered the AUC in a short trial.

A new augmentation of batches belongs in this file; one that needs waveforms (rooms, microphones, codecs) belongs in
`noisewatch.corpus.channel`, before the labels are computed.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torchaudio import functional as AF

from noisewatch.audio.logmel import FrontendConfig

GAIN_DB = 3.5  # of each filter at most
BASS_HZ, BELLS_HZ, TREBLE_HZ = 150.0, (350.0, 800.0, 1700.0, 3300.0), 5500.0
WARP = 0.06  # largest stretch of the Mel axis: vocal tract length perturbation, Jaitly & Hinton 2013


def augmented(logmel: Tensor, share: float, seed: int) -> Tensor:
    """Augment a share of the windows (B, T, M), natural-log power. A seed replays a batch, on any device.

    The SNR of the augmented windows moves by 0.6 dB at the median, and by more than 2 dB in 8 % of them.
    """
    draw = torch.Generator().manual_seed(seed)
    b, _, mels = logmel.shape
    chosen = torch.rand(b, 1, generator=draw) < share
    gains = (torch.rand(b, len(responses()), generator=draw) * 2 - 1) * torch.rand(b, 1, generator=draw)
    stretch = 1 + (torch.rand(b, 1, generator=draw) * 2 - 1) * WARP * chosen
    weights = interpolation(stretch, mels).to(logmel.device)  # (B, M, M)
    colour = (gains @ responses() * chosen).to(logmel.device)  # (B, M)
    return torch.bmm(logmel, weights) + colour[:, None]


@cache
def responses() -> Tensor:
    """Response of each filter of the equaliser at its largest gain, natural-log power by Mel band: (6, M).

    In decibels they are nearly proportional to the gain, so a random equaliser is a weighted sum of them.
    """
    c = FrontendConfig()
    impulse = torch.zeros(c.n_fft, dtype=torch.float64)
    impulse[0] = 0.01  # torchaudio's biquads clip their output at 1
    filters = [
        AF.bass_biquad(impulse, c.sample_rate, GAIN_DB, BASS_HZ),
        *(AF.equalizer_biquad(impulse, c.sample_rate, hz, GAIN_DB) for hz in BELLS_HZ),
        AF.treble_biquad(impulse, c.sample_rate, GAIN_DB, TREBLE_HZ),
    ]
    power = (torch.fft.rfft(torch.stack(filters)).abs() / impulse[0]).square().float()  # (6, bins)
    bank = AF.melscale_fbanks(c.n_fft // 2 + 1, c.f_min, c.f_max, c.n_mels, c.sample_rate)  # (bins, M)
    return torch.log(power @ bank / bank.sum(0))


def interpolation(stretch: Tensor, mels: int) -> Tensor:
    """Weights (B, M, M) that stretch the Mel axis linearly by factors (B, 1); the last band fills what is missing.

    torchaudio stretches waveforms and time, not the Mel axis.
    """
    band = torch.arange(mels)
    source = ((band + 0.5) * stretch - 0.5).clamp(0, mels - 1)  # (B, M)
    return (1 - (source[:, None] - band[:, None]).abs()).clamp(min=0)
