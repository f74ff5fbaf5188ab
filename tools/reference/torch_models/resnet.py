"""ResNets of three groups for small images: mdistiller's, and akamaster's with option A and a
normalised classifier."""
import torch
import torch.nn.functional as F
from torch import nn

from .convolutions import conv3x3


class ResNetBlock(nn.Module):
    """conv-BN-ReLU-conv-BN, plus a shortcut, ReLU."""

    def __init__(self, inputs, outputs, stride, option_a):
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.changes = stride != 1 or inputs != outputs
        self.option_a = option_a
        self.padding = (outputs - inputs) // 2
        if self.changes and not option_a:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))

    def shortcut(self, x):
        if not self.changes:
            return x
        if self.option_a:
            planes = (0, 0, 0, 0, self.padding, self.padding)
            return F.pad(x[:, :, ::2, ::2], planes)
        return self.downsample(x)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class NormedLinear(nn.Module):
    """Cosines: rows and the columns of the inputs x outputs weight have length 1."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(F.normalize(2 * torch.rand(inputs, outputs) - 1, dim=0))

    def forward(self, x):
        return F.normalize(x, dim=1) @ F.normalize(self.weight, dim=0)


class ResNet(nn.Module):
    """depth = 6n + 2; widths of the stem and the three groups; option A: shortcuts without weights."""

    def __init__(self, depth, widths=(16, 16, 32, 64), classes=100, option_a=False, normed=False):
        super().__init__()
        count = (depth - 2) // 6
        self.conv1 = conv3x3(3, widths[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        for group in (1, 2, 3):
            blocks = [ResNetBlock(widths[group - 1], widths[group], 1 if group == 1 else 2, option_a)]
            blocks += [ResNetBlock(widths[group], widths[group], 1, option_a)
                       for _ in range(1, count)]
            setattr(self, f"layer{group}", nn.Sequential(*blocks))
        self.head_name = "linear" if option_a else "fc"
        setattr(self, self.head_name, (NormedLinear if normed else nn.Linear)(widths[3], classes))

    def forward(self, x):
        stages = []
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
            stages.append(x)
        return getattr(self, self.head_name)(x.mean((2, 3))), stages
