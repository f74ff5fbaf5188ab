"""PyTorch definitions of this project's networks, with the state-dict names of the public ones.

Written from the description in the project's method notes (mdistiller's CIFAR zoo, the BKD and
akamaster ResNets). `forward` returns the logits and the outputs of the stages (the taps stage1,
stage2, …). Every pool before a head is global, so 28x28 and 64x64 images work as well as 32x32.
"""
from .mobilenet import InvertedResidual, MobileNetV2
from .resnet import NormedLinear, ResNet
from .shufflenet import (
    ShuffleDownV2, ShuffleUnitV1, ShuffleUnitV2, ShuffleV1, ShuffleV2, channel_shuffle)
from .staged_resnet import StagedResNet
from .vgg import VGG
from .wide_resnet import WideResNet

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
