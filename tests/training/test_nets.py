"""The networks: their sizes, what they refuse, that gain does not matter; the calibration of the distribution."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from noisewatch.audio.logmel import LogMel
from noisewatch.training.dataset import FLOOR_ONLY, SNR, TEACHER_SNR, TEACHER_WEIGHT, TEACHER_WIDTH, WEIGHT
from noisewatch.training.loss import edge_losses
from noisewatch.training.nets import NETS
from noisewatch.training.nets.bcresnet import BCResNet
from noisewatch.training.nets.head import EDGES, Verdict
from noisewatch.training.temperature import temperature_scale


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
    for output in (same.noise, *same._replace(voice_dbfs=None)):
        if output is not None:
            torch.testing.assert_close(output[0], output[1], atol=2e-2, rtol=0)


def certain(snr_db: list[float], slope: float = 2.0, heard: float = 9.0) -> Verdict:
    """Verdicts on windows with a voice; slope of the distribution in 1/dB, heard: logit of noise."""
    n = len(snr_db)
    centre = torch.full((n, 2, 2), 46.0)
    centre[:, :, 1] = torch.tensor(snr_db)[:, None]
    sharpness = torch.full((n, 2, 2), np.log(slope))
    weight = torch.log_softmax(torch.tensor([-heard / 2, heard / 2]), 0).expand(n, 2, 2)
    return Verdict(torch.full((n,), 9.0), weight, centre, sharpness, torch.zeros(n, 2, 1))


def test_verdict_and_snr_come_from_one_distribution():
    verdict = certain([-5, 11, 19, 21, 35])
    assert verdict.snr_db.tolist() == pytest.approx([-5, 11, 19, 21, 35], abs=0.3)
    assert verdict.snr_width_db.tolist() == pytest.approx([2.2, 2.2, 2.2, 2.2, 0], abs=1)
    called = torch.sigmoid(certain([-5, 11, 20, 24, 30, 36, 44], slope=0.4).noise) >= 0.9
    assert called.tolist() == [True, True, True, True, False, False, False]
    torn = certain([0.0], heard=0.0)  # noise, or a voice in a quiet room
    assert torn.snr_width_db > 25
    assert torch.sigmoid(torn.noise) < 0.5


def test_temperature_scaling_finds_out_that_a_network_is_too_sure():
    rng = np.random.default_rng(0)
    guess = rng.uniform(0, 30, 4000)
    targets = torch.zeros(4000, 9)
    targets[:, SNR], targets[:, WEIGHT] = torch.from_numpy(guess + rng.logistic(0, 3, 4000)), 1.0
    cost = partial(edge_losses, targets=targets)
    assert temperature_scale(certain(guess.tolist(), slope=1.0), cost) < 0.5
    assert temperature_scale(certain(guess.tolist(), slope=0.15), cost) > 1.5


@pytest.mark.parametrize(("teacher_weight", "best"), [(0.0, 10), (1.0, 24)])
def test_the_loss_is_least_at_the_label_or_at_what_the_teacher_estimates(teacher_weight: float, best: int):
    guesses = list(range(0, 36, 2))
    targets = torch.zeros(len(guesses), 9)
    targets[:, SNR], targets[:, TEACHER_SNR], targets[:, TEACHER_WIDTH] = 10.0, 24.0, 4.0
    targets[:, TEACHER_WEIGHT] = teacher_weight
    cost = edge_losses(certain(guesses, slope=1.0), targets).sum(1)
    assert guesses[int(cost.argmin())] == best


def test_a_floor_weighs_less_above_40_db():
    targets = torch.zeros(2, 9)
    targets[:, SNR], targets[1, FLOOR_ONLY] = 45.0, 1.0
    full, floor_only = edge_losses(certain([10.0, 10.0]), targets)
    expected = [0.3 if edge >= 40 else 1.0 for edge in EDGES]
    torch.testing.assert_close(floor_only / full, torch.tensor(expected))
