"""PyTorch definitions of this project's networks, with the state-dict names of the public ones.

Written from the description in the project's method notes (mdistiller's CIFAR zoo, the BKD and
akamaster ResNets). `forward` returns the logits and the outputs of the stages (the taps stage1,
stage2, …). Every pool before a head is global, so 28x28 and 64x64 images work as well as 32x32.
"""
import torch
import torch.nn.functional as F
from torch import nn


def conv3x3(inputs, outputs, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


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


def conv_norm_relu(inputs, outputs, kernel, stride=1, groups=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


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


WIDE = (32, 64, 128, 256)

ARCHITECTURES = {
    **{f"resnet{d}": (lambda c, d=d: ResNet(d, classes=c)) for d in (8, 14, 20, 32, 44, 56, 110)},
    **{f"resnet{d}x4": (lambda c, d=d: ResNet(d, WIDE, c)) for d in (8, 32)},
    **{f"resnet{d}_s": (lambda c, d=d: ResNet(d, classes=c, option_a=True))
       for d in (20, 32, 56, 110)},
    **{f"resnet{d}_s_normed": (lambda c, d=d: ResNet(d, classes=c, option_a=True, normed=True))
       for d in (20, 32)},
    **{f"wrn_{d}_{k}": (lambda c, d=d, k=k: WideResNet(d, k, c))
       for d in (16, 40) for k in (1, 2)},
    "vgg8": lambda c: VGG((1, 1, 1, 1, 1), c),
    "vgg11": lambda c: VGG((1, 1, 2, 2, 2), c),
    "vgg13": lambda c: VGG((2, 2, 2, 2, 2), c),
    "vgg16": lambda c: VGG((2, 2, 3, 3, 3), c),
    "vgg19": lambda c: VGG((2, 2, 4, 4, 4), c),
    "MobileNetV2": MobileNetV2,
    "ShuffleV1": ShuffleV1,
    "ShuffleV2": ShuffleV2,
    "ResNet18": lambda c: StagedResNet((2, 2, 2, 2), False, c),
    "ResNet50": lambda c: StagedResNet((3, 4, 6, 3), True, c),
}


def make(name, classes=100):
    """A new network; its weights are PyTorch's defaults until loaded or set."""
    return ARCHITECTURES[name](classes)


def parameter_count(model):
    return sum(p.numel() for p in model.parameters())


if __name__ == "__main__":
    torch.manual_seed(0)
    for name in ARCHITECTURES:
        model = make(name).eval()
        logits, stages = model(torch.zeros(1, 3, 32, 32))
        shapes = ", ".join(f"{s.shape[1]}@{s.shape[2]}" for s in stages)
        print(f"{name:12} {parameter_count(model):>10,}  {shapes}")
    print("resnet32_s, 10 classes", parameter_count(make("resnet32_s", 10)))
