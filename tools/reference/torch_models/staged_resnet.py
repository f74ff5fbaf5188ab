"""ResNet18 and ResNet50 for small images."""
import torch.nn.functional as F
from torch import nn

from .convolutions import conv3x3


class StagedBlock(nn.Module):
    """One block of ResNet18 (3x3, 3x3) or ResNet50 (1x1, 3x3, 1x1 to four times the width)."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        if not bottleneck:
            plan = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.depth = len(plan)
        for i, (before, after, kernel, step) in enumerate(plan, 1):
            conv = nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", nn.BatchNorm2d(after))
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        ) if changes else nn.Sequential()

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.depth:
                y = F.relu(y)
        return F.relu(y + self.shortcut(x))


class StagedResNet(nn.Module):
    """ResNet18 and ResNet50 with a 3x3 stem and no pool behind it: four stages, widths 64 to 512."""

    def __init__(self, counts, bottleneck, classes=100):
        super().__init__()
        self.conv1 = conv3x3(3, 64)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(counts):
            width = 64 << stage
            blocks = []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                blocks.append(StagedBlock(inputs, width, stride, bottleneck))
                inputs = 4 * width if bottleneck else width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        stages = []
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            stages.append(x)
        return self.linear(x.mean((2, 3))), stages
