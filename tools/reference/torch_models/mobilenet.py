"""MobileNetV2."""
from torch import nn

from .convolutions import conv_norm_relu


class InvertedResidual(nn.Module):
    """1x1 to `factor` times the channels, depthwise 3x3, 1x1 back without a ReLU behind it."""

    def __init__(self, inputs, outputs, stride, factor):
        super().__init__()
        middle = inputs * factor
        self.conv = nn.Sequential(
            *conv_norm_relu(inputs, middle, 1),
            *conv_norm_relu(middle, middle, 3, stride, groups=middle),
            *conv_norm_relu(middle, outputs, 1)[:2])
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return self.conv(x) + x if self.is_residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Half width, plain ReLU; taps behind the groups 1, 2, 4 and 6."""

    # factor, full width, blocks, stride of the first
    GROUPS = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1))
    TAPS = (1, 2, 4, 6)

    def __init__(self, classes=100):
        super().__init__()
        inputs = 16
        self.conv1 = nn.Sequential(*conv_norm_relu(3, inputs, 3, 2))
        self.blocks = nn.ModuleList()
        for factor, full, count, stride in self.GROUPS:
            group = []
            for i in range(count):
                group.append(InvertedResidual(inputs, full // 2, 1 if i else stride, factor))
                inputs = full // 2
            self.blocks.append(nn.Sequential(*group))
        self.conv2 = nn.Sequential(*conv_norm_relu(inputs, 1280, 1))
        self.classifier = nn.Sequential(nn.Linear(1280, classes))

    def forward(self, x):
        stages = []
        x = self.conv1(x)
        for i, group in enumerate(self.blocks):
            x = group(x)
            if i in self.TAPS:
                stages.append(x)
        return self.classifier(self.conv2(x).mean((2, 3))), stages
