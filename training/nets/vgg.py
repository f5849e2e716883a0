"""VGG-11: eight 3x3 convolutions between five poolings. Simonyan & Zisserman 2014, https://arxiv.org/abs/1409.1556

Configuration A of the paper with batch normalisation, without which it hardly learns, and without the three
dense layers: they hold 120 of its 133 million parameters and are sized for images of 224 x 224.
"""

from __future__ import annotations

from torch import Tensor, nn

POOL = 0
LAYERS = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512)


class VGG11(nn.Module):
    """The trunk: (B, 1, 40, T) -> (B, 512, T / 16)."""

    channels = 512

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c = 1
        for width in LAYERS:
            if width == POOL:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(c, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                c = width
        self.layers = nn.Sequential(*layers)  # (B, 512, 2, T / 16)

    def forward(self, x: Tensor) -> Tensor:
        # The paper's fifth pooling, over frequency only: the head pools over time.
        y: Tensor = self.layers(x)
        return y.amax(dim=2)
