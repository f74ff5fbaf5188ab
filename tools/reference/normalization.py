#!/usr/bin/env python3
"""Writes Tests/DatasetsTests/Fixtures/normalization.json: what torchvision's ToTensor and Normalize
make of every byte, in PyTorch, as the bits of the fp32 results (hexadecimal, channel by channel).

    pip install torch
    python3 tools/reference/normalization.py
"""

import json
import os

import torch

FIXTURES = os.path.join(os.path.dirname(__file__), "../../Tests/DatasetsTests/Fixtures")
CONSTANTS = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "mnist": ((0.1307,) * 3, (0.3081,) * 3),
    "fashion-mnist": ((0.2860,) * 3, (0.3530,) * 3),
}

rows = []
for dataset, (mean, std) in CONSTANTS.items():
    image = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 256).repeat(3, 1, 1)
    # torchvision.transforms.functional: to_tensor, then normalize.
    tensor = image.to(torch.float32).div(255)
    mean_tensor = torch.as_tensor(mean, dtype=torch.float32).view(-1, 1, 1)
    std_tensor = torch.as_tensor(std, dtype=torch.float32).view(-1, 1, 1)
    tensor = tensor.clone().sub_(mean_tensor).div_(std_tensor)
    bits = tensor.view(torch.int32).reshape(-1).tolist()
    rows.append(dict(dataset=dataset, mean=mean, std=std,
                     bits="".join(format(b & 0xFFFFFFFF, "08x") for b in bits)))
with open(os.path.join(FIXTURES, "normalization.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
