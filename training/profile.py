"""The size of a network and its cost per decision."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from noisewatch.audio.logmel import FRAMES, MELS
from noisewatch.evaluation.networks import Network

from .nets import NETS
from .nets.stcn import HOP, STCN, Planning


def parameters(net: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in net.parameters())


def macs(net: nn.Module) -> int:
    """Multiply-accumulates of convolutions and matrix products for one decision: on a window, or on a step."""
    counter, reference = FlopCounterMode(display=False), torch.zeros(1)
    with torch.no_grad(), counter:
        if isinstance(net, STCN):
            net.eval().judge(torch.zeros(1, HOP, MELS), reference, Planning())
        else:
            net.eval()(torch.zeros(1, FRAMES, MELS), reference)
    return int(counter.get_total_flops() // 2)


def trainable() -> list[Network]:
    """The networks that `train --net` accepts. Untrained: size and cost are known, accuracy is not."""
    made = {name: build() for name, build in NETS.items()}
    return [
        Network(name, False, False, parameters(net), macs(net), None, None, None, None, None)
        for name, net in made.items()
    ]
