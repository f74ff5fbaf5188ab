"""Prints each network's number of weights and its taps on 32x32 images: `python3 -m torch_models`."""
import torch

from . import ARCHITECTURES, make


def weights(model):
    return sum(p.numel() for p in model.parameters())


torch.manual_seed(0)
for name in ARCHITECTURES:
    model = make(name).eval()
    logits, stages = model(torch.zeros(1, 3, 32, 32))
    shapes = ", ".join(f"{s.shape[1]}@{s.shape[2]}" for s in stages)
    print(f"{name:12} {weights(model):>10,}  {shapes}")
print("resnet32_s, 10 classes", weights(make("resnet32_s", 10)))
