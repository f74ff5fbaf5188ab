#!/usr/bin/env python3
"""Writes what PyTorch computes for each layer: Tests/NetworksTests/Fixtures/layers.{json,f32}.

    python3 tools/reference/layers.py

Inputs, parameters and output gradients are not stored: both sides make them with `pattern`. The
JSON lists, per case, the numbers that follow one another in the .f32 file (little-endian fp32):
output, input gradient and parameter gradients; images are N x H x W x C. All in float64, then rounded.
"""
import json
from pathlib import Path

import torch
from torch import nn

import torch_models

FIXTURES = Path(__file__).resolve().parents[2] / "Tests" / "NetworksTests" / "Fixtures"


def pattern(count, seed):
    """Values in [-1, 1] that look random and never tie: multiples of 1/1009, 1009 being prime."""
    return torch.tensor(
        [((i * 617 + seed * 331 + (i // 1009) * 97) % 2019 - 1009) / 1009 for i in range(count)],
        dtype=torch.float64)


class OptionA(nn.Module):
    def __init__(self, inputs, outputs, strides):
        super().__init__()
        self.before, self.strides = (outputs - inputs) // 2, strides
        self.after = outputs - inputs - self.before

    def forward(self, x):
        x = x[:, :, ::self.strides, ::self.strides]
        return nn.functional.pad(x, (0, 0, 0, 0, self.before, self.after))


class Residual(nn.Module):
    def __init__(self, main, shortcut=None):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x):
        return self.main(x) + (x if self.shortcut is None else self.shortcut(x))


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Shuffle(nn.Module):
    def forward(self, x):
        return torch_models.channel_shuffle(x, 3)


def shuffled_halves(width):
    """A unit of ShuffleNet V2 that halves the image, and two more."""
    return nn.Sequential(
        torch_models.ShuffleDownV2(6, width), torch_models.ShuffleUnitV2(width),
        torch_models.ShuffleUnitV2(width))


def rectified_branch(*norm):
    """A residual branch that ends in another one and its ReLU."""
    inner = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, bias=False), *norm)
    return Residual(nn.Sequential(Residual(inner), nn.ReLU()))


def block(i, o, strides):
    main = nn.Sequential(
        nn.Conv2d(i, o, 3, strides, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(),
        nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
    shortcut = None
    if strides != 1 or i != o:
        shortcut = nn.Sequential(nn.Conv2d(i, o, 1, strides, bias=False), nn.BatchNorm2d(o))
    return nn.Sequential(Residual(main, shortcut), nn.ReLU())


CASES = {  # name: (layer, input N, C, H, W)
    "conv3x3": (nn.Conv2d(16, 16, 3, padding=1, bias=False), (2, 16, 5, 7)),
    "conv3x3 odd channels, bias": (nn.Conv2d(3, 5, 3, padding=1), (2, 3, 5, 7)),
    "conv3x3 stride 2": (nn.Conv2d(8, 24, 3, 2, 1, bias=False), (2, 8, 7, 5)),
    "conv3x3 stride 2, even size": (nn.Conv2d(8, 16, 3, 2, 1, bias=False), (2, 8, 6, 4)),
    "conv1x1": (nn.Conv2d(16, 24, 1, bias=False), (2, 16, 5, 4)),
    "conv1x1 stride 2": (nn.Conv2d(16, 32, 1, 2, bias=False), (2, 16, 5, 4)),
    "conv5x5": (nn.Conv2d(4, 6, 5, 1, 2), (2, 4, 5, 6)),
    "conv4x4 stride 2": (nn.Conv2d(4, 6, 4, 2, 1), (2, 4, 6, 8)),
    "conv3x3 three groups": (nn.Conv2d(12, 60, 3, 1, 1, groups=3, bias=False), (1, 12, 3, 4)),
    "conv1x1 three groups": (nn.Conv2d(60, 12, 1, groups=3), (2, 60, 2, 3)),
    "depthwise": (nn.Conv2d(20, 20, 3, 1, 1, groups=20, bias=False), (2, 20, 4, 5)),
    "depthwise stride 2": (nn.Conv2d(20, 20, 3, 2, 1, groups=20), (2, 20, 5, 4)),
    "conv transpose": (nn.ConvTranspose2d(6, 10, 4, 2, 1), (2, 6, 3, 4)),
    "conv transpose, kernel 2": (nn.ConvTranspose2d(16, 16, 2, 2, bias=False), (2, 16, 2, 3)),
    "batch norm": (nn.BatchNorm2d(24), (3, 24, 3, 2)),
    "relu": (nn.ReLU(), (2, 5, 3, 4)),
    "max pool": (nn.MaxPool2d(2), (2, 5, 6, 5)),
    "max pool, overlapping": (nn.MaxPool2d(3, 2), (2, 20, 7, 5)),
    "average pool": (nn.AvgPool2d(3, 2, 1), (2, 20, 5, 6)),
    "global average": (GlobalAverage(), (3, 20, 3, 5)),
    "linear": (nn.Linear(20, 10), (7, 20)),
    "normed linear": (torch_models.NormedLinear(20, 10), (7, 20)),
    "shortcut A": (OptionA(6, 16, 2), (2, 6, 5, 4)),
    "block": (block(16, 16, 1), (2, 16, 4, 5)),
    "block stride 2": (block(8, 16, 2), (3, 8, 4, 6)),
    "rectified branch": (rectified_branch(), (2, 16, 4, 5)),
    "rectified branch with batch norm": (rectified_branch(nn.BatchNorm2d(16)), (2, 16, 4, 5)),
    "inverted residual": (torch_models.InvertedResidual(8, 8, 1, 3), (2, 8, 4, 5)),
    "channel shuffle": (Shuffle(), (2, 51, 3, 2)),
    "shuffle unit, added": (torch_models.ShuffleUnitV1(24, 24, 1, 3, 3), (2, 24, 3, 4)),
    "shuffle unit, concatenated": (torch_models.ShuffleUnitV1(24, 60, 2, 3, 3), (3, 24, 5, 4)),
    "shuffled halves": (shuffled_halves(68), (3, 6, 5, 6)),
    "shuffled halves, few channels": (shuffled_halves(20), (3, 6, 5, 6)),
}


def images_last(t):
    return t.permute(0, 2, 3, 1).contiguous() if t.dim() == 4 else t


def main():
    index, data = [], []

    def put(t):
        t = t.detach().to(torch.float32).flatten()
        data.append(t)
        return t.numel()

    for name, (layer, shape) in CASES.items():
        layer = layer.double().train()
        with torch.no_grad():
            for k, p in enumerate(layer.parameters()):
                p.copy_(pattern(p.numel(), k + 1).reshape(p.shape) + (1 if p.dim() == 1 else 0))
        nhwc = [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else list(shape)
        x = pattern(torch.Size(shape).numel(), 7).reshape(nhwc)
        x = x.permute(0, 3, 1, 2) if len(shape) == 4 else x
        x = x.contiguous().requires_grad_()
        y = layer(x)
        gradient = pattern(y.numel(), 11).reshape(images_last(y).shape)
        y.backward(gradient.permute(0, 3, 1, 2) if y.dim() == 4 else gradient)
        entry = {"name": name, "shape": nhwc, "output_shape": list(images_last(y).shape)}
        put(images_last(y))
        put(images_last(x.grad))
        entry["parameters"] = [put(p.grad) for p in layer.parameters()]
        buffers = [b for b in layer.buffers() if b.dim() == 1]
        entry["buffers"] = [put(b) for b in buffers]
        layer.eval()
        entry["inference"] = put(images_last(layer(x)))
        index.append(entry)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "layers.json").write_text(json.dumps(index, indent=1) + "\n")
    (FIXTURES / "layers.f32").write_bytes(torch.cat(data).numpy().astype("<f4").tobytes())


main()
