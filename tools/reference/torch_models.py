"""PyTorch definitions of this project's networks, with the state-dict names of the public ones.

Written from the description in the project's method notes (mdistiller's CIFAR zoo, the BKD and
akamaster ResNets). `forward` returns the logits and the outputs of the stages (the taps stage1,
stage2, …). Every pool before a head is global, so 28x28 images work as well as 32x32.
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


class ResNet(nn.Module):
    """depth = 6n + 2; widths of the stem and the three groups; option A: shortcuts without weights."""

    def __init__(self, depth, widths=(16, 16, 32, 64), classes=100, option_a=False):
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
        setattr(self, self.head_name, nn.Linear(widths[3], classes))

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
    """Five blocks of conv (with bias), BN, ReLU; max-pool after the first three; taps after ReLU."""

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
        for block in range(5):
            x = F.relu(getattr(self, f"block{block}")(x))
            stages.append(x)
            if block < 3:
                x = F.max_pool2d(x, 2)
        return self.classifier(x.mean((2, 3))), stages


WIDE = (32, 64, 128, 256)

ARCHITECTURES = {
    **{f"resnet{d}": (lambda c, d=d: ResNet(d, classes=c)) for d in (8, 14, 20, 32, 44, 56, 110)},
    **{f"resnet{d}x4": (lambda c, d=d: ResNet(d, WIDE, c)) for d in (8, 32)},
    **{f"resnet{d}_s": (lambda c, d=d: ResNet(d, classes=c, option_a=True))
       for d in (20, 32, 56, 110)},
    **{f"wrn_{d}_{k}": (lambda c, d=d, k=k: WideResNet(d, k, c))
       for d in (16, 40) for k in (1, 2)},
    "vgg8": lambda c: VGG((1, 1, 1, 1, 1), c),
    "vgg11": lambda c: VGG((1, 1, 2, 2, 2), c),
    "vgg13": lambda c: VGG((2, 2, 2, 2, 2), c),
    "vgg16": lambda c: VGG((2, 2, 3, 3, 3), c),
    "vgg19": lambda c: VGG((2, 2, 4, 4, 4), c),
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
