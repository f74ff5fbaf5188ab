"""ShuffleNets, first and second version."""
import torch
import torch.nn.functional as F
from torch import nn


def channel_shuffle(x, groups):
    """Channel c of group k becomes channel c * groups + k."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


class ShuffleUnitV1(nn.Module):
    """Grouped 1x1, shuffle, depthwise 3x3 with a ReLU, grouped 1x1; plus x, or beside its pool."""

    def __init__(self, inputs, outputs, stride, groups, first_groups):
        super().__init__()
        self.joins = stride == 2
        branch = outputs - inputs if self.joins else outputs
        middle = branch // 4
        self.groups = first_groups
        self.conv1 = nn.Conv2d(inputs, middle, 1, groups=first_groups, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, branch, 1, groups=groups, bias=False)
        self.bn3 = nn.BatchNorm2d(branch)

    def forward(self, x):
        y = channel_shuffle(F.relu(self.bn1(self.conv1(x))), self.groups)
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        if self.joins:
            return F.relu(torch.cat([y, F.avg_pool2d(x, 3, 2, 1)], 1))
        return F.relu(y + x)


class ShuffleV1(nn.Module):
    """Three groups; a 1x1 stem to 24 channels, whose successor is not grouped."""

    WIDTHS, COUNTS, GROUPS = (240, 480, 960), (4, 8, 4), 3

    def __init__(self, classes=100):
        super().__init__()
        inputs = 24
        self.conv1 = nn.Conv2d(3, inputs, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        for stage, (width, count) in enumerate(zip(self.WIDTHS, self.COUNTS), 1):
            units = []
            for i in range(count):
                first = 1 if stage == 1 and i == 0 else self.GROUPS
                units.append(ShuffleUnitV1(inputs, width, 1 if i else 2, self.GROUPS, first))
                inputs = width
            setattr(self, f"layer{stage}", nn.Sequential(*units))
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        stages = []
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
            stages.append(x)
        return self.linear(x.mean((2, 3))), stages


class ShuffleUnitV2(nn.Module):
    """The second half of the channels passes 1x1, depthwise 3x3 without a ReLU, 1x1; shuffle."""

    def __init__(self, width):
        super().__init__()
        half = width // 2
        self.conv1 = nn.Conv2d(half, half, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, half, 3, 1, 1, groups=half, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(half, half, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(half)

    def forward(self, x):
        left, y = x.chunk(2, 1)
        y = F.relu(self.bn1(self.conv1(y)))
        y = F.relu(self.bn3(self.conv3(self.bn2(self.conv2(y)))))
        return channel_shuffle(torch.cat([left, y], 1), 2)


class ShuffleDownV2(nn.Module):
    """Both halves of the output come from the whole input, at half its size; shuffle."""

    def __init__(self, inputs, width):
        super().__init__()
        half = width // 2
        self.conv1 = nn.Conv2d(inputs, inputs, 3, 2, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = nn.Conv2d(inputs, half, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(inputs, half, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv4 = nn.Conv2d(half, half, 3, 2, 1, groups=half, bias=False)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = nn.Conv2d(half, half, 1, bias=False)
        self.bn5 = nn.BatchNorm2d(half)

    def forward(self, x):
        left = F.relu(self.bn2(self.conv2(self.bn1(self.conv1(x)))))
        right = F.relu(self.bn3(self.conv3(x)))
        right = F.relu(self.bn5(self.conv5(self.bn4(self.conv4(right)))))
        return channel_shuffle(torch.cat([left, right], 1), 2)


class ShuffleV2(nn.Module):
    """Width 1; a 1x1 stem to 24 channels and a last 1x1 to 1024 before the pool."""

    WIDTHS, COUNTS = (116, 232, 464), (3, 7, 3)

    def __init__(self, classes=100):
        super().__init__()
        inputs = 24
        self.conv1 = nn.Conv2d(3, inputs, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        for stage, (width, count) in enumerate(zip(self.WIDTHS, self.COUNTS), 1):
            units = [ShuffleDownV2(inputs, width)] + [ShuffleUnitV2(width) for _ in range(count)]
            setattr(self, f"layer{stage}", nn.Sequential(*units))
            inputs = width
        self.conv2 = nn.Conv2d(inputs, 1024, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1024)
        self.linear = nn.Linear(1024, classes)

    def forward(self, x):
        stages = []
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
            stages.append(x)
        x = F.relu(self.bn2(self.conv2(x)))
        return self.linear(x.mean((2, 3))), stages
