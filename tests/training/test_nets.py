"""The networks: their sizes, what they refuse, and that gain does not matter; the calibration of their logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from noisewatch.audio.logmel import LogMel
from noisewatch.training.nets import NETS
from noisewatch.training.nets.bcresnet import BCResNet
from noisewatch.training.platt import platt_scaling


@pytest.mark.parametrize(("scale", "size"), [(1, 9_200), (8, 321_000)])
def test_bcresnet_has_the_size_of_the_paper(scale: int, size: int):
    """With the paper's 12 classes (Kim et al. 2021, table 2)."""
    trunk = sum(p.numel() for p in BCResNet(scale).parameters())
    assert trunk + 32 * scale * 12 == pytest.approx(size, rel=0.005)


def test_a_height_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="do not divide by 5"):
        BCResNet(1)(torch.zeros(1, 1, 64, 298))


@pytest.mark.parametrize("name", NETS)
def test_gain_changes_nothing_when_the_reference_moves_too(voice: np.ndarray, name: str):
    net = NETS[name]().eval()
    x = torch.from_numpy(np.stack([LogMel().feed(voice[:48_000] * np.float32(g)) for g in (1, 0.1)]))
    with torch.no_grad():
        same = net(x, torch.tensor([-26.0, -46.0]))  # voice and reference 20 dB down together
    for output in same:
        torch.testing.assert_close(output[0], output[1], atol=2e-2, rtol=0)


def test_calibrated_probabilities_mean_what_they_say():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 20_000)
    noisy = rng.random(20_000) < 1 / (1 + np.exp(-truth))
    overconfident = torch.from_numpy(truth * 4 - 3)  # and biased
    scale, offset = platt_scaling(overconfident, torch.from_numpy(noisy))
    assert scale == pytest.approx(0.25, abs=0.01)
    assert offset == pytest.approx(0.75, abs=0.03)
    separable = torch.tensor([-2.0, -1.0, 1.0, 2.0])
    assert platt_scaling(separable, separable > 0)[0] < 100
