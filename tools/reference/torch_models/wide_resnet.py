"""Wide ResNets."""
import torch.nn.functional as F
from torch import nn

from .convolutions import conv3x3


class WideResNetBlock(nn.Module):
    """BN-ReLU-conv-BN-ReLU-conv; where channels change, both paths start from the activated input."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.changes = inputs != outputs
        if self.changes:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x):
        active = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return y + (self.convShortcut(active) if self.changes else x)


class WideResNetGroup(nn.Module):
    def __init__(self, count, inputs, outputs, stride):
        super().__init__()
        self.layer = nn.Sequential(
            *[WideResNetBlock(outputs if i else inputs, outputs, 1 if i else stride)
              for i in range(count)])

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    """depth = 6n + 4, widths 16, 16k, 32k, 64k; the taps are raw block outputs."""

    def __init__(self, depth, factor, classes=100):
        super().__init__()
        count = (depth - 4) // 6
        widths = [16, 16 * factor, 32 * factor, 64 * factor]
        self.conv1 = conv3x3(3, 16)
        self.block1 = WideResNetGroup(count, widths[0], widths[1], 1)
        self.block2 = WideResNetGroup(count, widths[1], widths[2], 2)
        self.block3 = WideResNetGroup(count, widths[2], widths[3], 2)
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x):
        stages = []
        x = self.conv1(x)
        for block in (self.block1, self.block2, self.block3):
            x = block(x)
            stages.append(x)
        return self.fc(F.relu(self.bn1(x)).mean((2, 3))), stages
