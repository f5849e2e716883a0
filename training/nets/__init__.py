"""The networks that can be trained, by name."""

from __future__ import annotations

from collections.abc import Callable

from .bcresnet import BCResNet
from .head import NoiseNet


def bcresnet1() -> NoiseNet:
    """BC-ResNet at scale 1, the network that ships."""
    trunk = BCResNet(scale=1)
    return NoiseNet(trunk, trunk.channels)


NETS: dict[str, Callable[[], NoiseNet]] = {"bcresnet1": bcresnet1}
