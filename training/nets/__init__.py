"""The networks that can be trained, by name."""

from __future__ import annotations

from collections.abc import Callable

from .bcresnet import BCResNet
from .dense import Dense
from .duo import Duo
from .head import NoiseNet
from .mhatt import MHAtt
from .tcn import TCN
from .vgg import VGG11


def _net(trunk: BCResNet | TCN | VGG11 | MHAtt | Dense) -> NoiseNet:
    return NoiseNet(trunk, trunk.channels)


NETS: dict[str, Callable[[], NoiseNet | Duo]] = {
    "duo": lambda: Duo({"mhatt": _net(MHAtt()), "tcn": _net(TCN())}),
    "tcn": lambda: _net(TCN()),
    "bcresnet1": lambda: _net(BCResNet(scale=1)),
    "bcresnet8": lambda: _net(BCResNet(scale=8)),
    "bcresnet16": lambda: _net(BCResNet(scale=16)),
    "vgg11": lambda: _net(VGG11()),
    "mhatt": lambda: _net(MHAtt()),
    "dense": lambda: _net(Dense()),
}
