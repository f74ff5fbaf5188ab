"""VGG with batch normalisation."""
import torch.nn.functional as F
from torch import nn

from .convolutions import conv3x3


class VGG(nn.Module):
    """Five blocks of conv (with bias), BN, ReLU; max-pool after the first three, for images of 64
    pixels a side after the fourth too; taps after ReLU."""

    WIDTHS = (64, 128, 256, 512, 512)

    def __init__(self, convolutions, classes=100):
        super().__init__()
        inputs = 3
        for block, (width, count) in enumerate(zip(self.WIDTHS, convolutions)):
            layers = []
            for _ in range(count):
                layers += [conv3x3(inputs, width, bias=True), nn.BatchNorm2d(width), nn.ReLU()]
                inputs = width
            # The last ReLU is outside, so that names count as in the public definition.
            setattr(self, f"block{block}", nn.Sequential(*layers[:-1]))
        self.classifier = nn.Linear(512, classes)

    def forward(self, x):
        stages = []
        pools = 4 if x.shape[2] == 64 else 3
        for block in range(5):
            x = F.relu(getattr(self, f"block{block}")(x))
            stages.append(x)
            if block < pools:
                x = F.max_pool2d(x, 2)
        return self.classifier(x.mean((2, 3))), stages
