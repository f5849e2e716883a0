"""The networks that can be trained, by name.

A new network is one file in this folder and one line in NETS. The file holds a trunk: a module with an attribute
`channels` that maps (B, 1, 40, T) to (B, channels, T'). Normaliser and outputs are those of `head`. A file
NAME.toml in `recipes` sets its defaults.
"""

from __future__ import annotations

from collections.abc import Callable

from .bcresnet import BCResNet
from .dense import Dense
from .duo import Duo
from .head import NoiseNet
from .mhatt import MHAtt
from .stcn import STCN
from .tcn import TCN
from .vgg import VGG11

NETS: dict[str, Callable[[], NoiseNet | Duo | STCN]] = {
    "duo": lambda: Duo({"mhatt": NoiseNet(MHAtt()), "tcn": NoiseNet(TCN())}),
    "tcn": lambda: NoiseNet(TCN()),
    "stcn": STCN,
    "bcresnet1": lambda: NoiseNet(BCResNet(scale=1)),
    "bcresnet8": lambda: NoiseNet(BCResNet(scale=8)),
    "bcresnet16": lambda: NoiseNet(BCResNet(scale=16)),
    "vgg11": lambda: NoiseNet(VGG11()),
    "mhatt": lambda: NoiseNet(MHAtt()),
    "dense": lambda: NoiseNet(Dense()),
}
