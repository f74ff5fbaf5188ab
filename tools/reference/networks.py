#!/usr/bin/env python3
"""Write Tests/NetworksTests/Fixtures/networks/NAME.json: what PyTorch computes with our networks,
and Fixtures/architectures.json: parameter count and state-dict names of every network.

    python3 networks.py            # architectures.json and all of CASES (some minutes)
    python3 networks.py resnet8    # some cases

Needs torch (made with 2.13.0 CPU). The reference is PyTorch in float64; the same run in float32
gives `spread`, the largest deviation that plain rounding causes, from which the Swift test takes
its tolerances.

Weights and images come from a formula that both sides compute bit for bit, so that fixtures stay
small: the i-th value (i from 0, PyTorch's layout) of the array NAME is
    offset + scale * u(i),   u(i) = (splitmix64 output i of the seed FNV-1a-64(NAME) >> 40) / 2^24 - 0.5
rounded to float32 after the product and after the sum; u itself is exact. `parameters` lists name,
shape, scale and offset of each array. Images are the array `images` ("images-K", scale 3.5),
N x C x H x W. K is chosen, among the first IMAGE_SETS, so that no ReLU of the training pass has an
input near zero: one that rounds to the other side changes gradients by far more than rounding.

A fixture holds, for one batch:
  inference   logits and sampled taps with the running statistics
  training    logits and sampled taps with batch statistics; gradients of the mean cross-entropy
              (labels (7 i + 3) mod classes) at every parameter; running statistics after this pass
  injected    gradients when the gradients at the taps are the arrays "tap:NAME" (scale 1e-3) as
              well; from the same start
  trained     what `steps` SGD steps on this batch changed at every parameter (lr 1e-4, momentum
              0.9, weight decay 5e-4), the running statistics after them, and the losses
A sampled array is {"norm": L2 norm, "values": up to `samples` values at a fixed stride from 0},
`samples` being 32, or 8 in networks of many arrays.
"""
import argparse
import hashlib
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import torch_models

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "Tests/NetworksTests/Fixtures/networks"

# fixture name -> (architecture, classes, side, batch)
CASES = {
    "resnet8": ("resnet8", 100, 32, 4),
    "resnet8-28": ("resnet8", 10, 28, 4),
    "resnet20": ("resnet20", 100, 32, 4),
    "resnet8x4": ("resnet8x4", 100, 32, 4),
    "resnet20_s": ("resnet20_s", 10, 32, 4),
    "resnet20_s_normed": ("resnet20_s_normed", 10, 32, 4),
    "wrn_16_1": ("wrn_16_1", 100, 32, 4),
    "wrn_16_2": ("wrn_16_2", 100, 32, 4),
    "vgg8": ("vgg8", 100, 32, 4),
    "vgg8-28": ("vgg8", 10, 28, 4),
    "vgg8-64": ("vgg8", 10, 64, 4),
    "MobileNetV2": ("MobileNetV2", 100, 32, 4),
    "MobileNetV2-28": ("MobileNetV2", 10, 28, 4),
    "ShuffleV1": ("ShuffleV1", 100, 32, 4),
    "ShuffleV1-28": ("ShuffleV1", 10, 28, 4),
    "ShuffleV2": ("ShuffleV2", 100, 32, 4),
    "ShuffleV2-28": ("ShuffleV2", 10, 28, 4),
    # Small images: of the millions of ReLU inputs of large ones some are always near zero.
    "ResNet18": ("ResNet18", 100, 16, 4),
    "ResNet50": ("ResNet50", 100, 16, 4),
}
# Deep networks of random weights magnify rounding from layer to layer. With their batch norms' biases
# around one, most ReLU inputs are positive and it grows less: PyTorch's own fp32 gradients of
# ShuffleV2 leave fp64 by 2e-5 in place of 4e-1. After three steps they have drifted less than after
# ten.
DEEP = {"MobileNetV2", "ShuffleV1", "ShuffleV2", "ResNet18", "ResNet50"}
LEARNING_RATE, MOMENTUM, DECAY = 1e-4, 0.9, 5e-4


def steps(architecture):
    return 3 if architecture in DEEP else 10


ZERO = 1e-6
IMAGE_SETS = 32
MANY_ARRAYS = 150


def formula(name, shape, scale, offset=0.0):
    """The array NAME, as float32 (see above)."""
    count = int(np.prod(shape, dtype=np.int64))
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        golden = np.uint64(0x9E3779B97F4A7C15)
        z = np.uint64(seed) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * golden
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    u = ((z >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5).astype(np.float32)
    return (np.float32(offset) + np.float32(scale) * u).reshape(shape)


def rule(name, shape, norm_bias):
    """(scale, offset): close to a usual initialisation, and nothing at its special value."""
    layer, last = name.rsplit(".", 1)
    if last == "running_var" or (last == "weight" and len(shape) == 1):
        return 0.5, 1.0
    if len(shape) == 4:
        fan_in = shape[1] * shape[2] * shape[3]
        return float(np.float32(np.sqrt(24.0 / fan_in))), 0.0
    if len(shape) == 2:
        return float(np.float32(np.sqrt(12.0 / shape[1]))), 0.0
    return 0.25, norm_bias.get(layer, 0.0)


def arrays(architecture, classes):
    """By name of each array: shape, scale, offset."""
    state = torch_models.make(architecture, classes).state_dict()
    lift = 1.0 if architecture in DEEP else 0.0
    norm_bias = {n.rsplit(".", 1)[0]: lift for n in state if n.endswith("running_mean")}
    return {n: (list(t.shape), *rule(n, t.shape, norm_bias)) for n, t in state.items()
            if not n.endswith("num_batches_tracked")}


def start(architecture, classes):
    """The arrays by name, as float32."""
    return {n: formula(n, *array) for n, array in arrays(architecture, classes).items()}


def fill(model, weights, dtype):
    model.to(dtype)
    state = {n: torch.from_numpy(values).to(dtype) for n, values in weights.items()}
    model.load_state_dict(state, strict=False)


def numbers(tensor):
    return tensor.detach().to(torch.float64).numpy().reshape(-1).copy()


def samples(count, limit):
    return np.arange(0, count, max(1, -(-count // limit)))


def margin(architecture, classes, side, batch, images_name):
    """The least |input| of any ReLU in a training pass, relative to its channel's rms.

    Exact zeros do not count: they are pools of rectified zeros, which no rounding moves.
    """
    model = torch_models.make(architecture, classes)
    fill(model, start(architecture, classes), torch.float64)
    least = [np.inf]
    relu = F.relu

    def watched_relu(x, inplace=False):
        rms = x.pow(2).mean((0, 2, 3), keepdim=True).sqrt()
        distance = torch.where(x == 0, torch.inf, x.abs() / rms)
        least[0] = min(least[0], float(distance.min()))
        return relu(x)

    F.relu = watched_relu
    try:
        with torch.no_grad():
            model(torch.from_numpy(formula(images_name, (batch, 3, side, side), 3.5)).double())
    finally:
        F.relu = relu
    return least[0]


def choose_images(architecture, classes, side, batch):
    names = [f"images-{k}" for k in range(IMAGE_SETS)]
    return max(names, key=lambda name: margin(architecture, classes, side, batch, name))


def run(architecture, classes, side, batch, images_name, dtype):
    """All results in full, as float64 arrays by dotted name."""
    result = {}
    images = torch.from_numpy(formula(images_name, (batch, 3, side, side), 3.5)).to(dtype)
    labels = (7 * torch.arange(batch) + 3) % classes
    model = torch_models.make(architecture, classes)
    weights = start(architecture, classes)

    def taps(kind, stages):
        for i, stage in enumerate(stages):
            result[f"{kind}.taps.stage{i + 1}"] = numbers(stage.permute(0, 2, 3, 1).contiguous())

    def statistics(kind):
        for n, b in model.named_buffers():
            if not n.endswith("num_batches_tracked"):
                result[f"{kind}.statistics.{n}"] = numbers(b)

    def gradients(kind):
        for n, p in model.named_parameters():
            result[f"{kind}.gradients.{n}"] = numbers(p.grad)
            p.grad = None

    fill(model, weights, dtype)
    model.eval()
    with torch.no_grad():
        logits, stages = model(images)
    result["inference.logits"] = numbers(logits)
    taps("inference", stages)

    model.train()
    logits, stages = model(images)
    result["training.logits"] = numbers(logits)
    taps("training", stages)
    F.cross_entropy(logits, labels).backward()
    gradients("training")
    statistics("training")

    fill(model, weights, dtype)
    logits, stages = model(images)
    loss = F.cross_entropy(logits, labels)
    for i, stage in enumerate(stages):
        n, c, h, w = stage.shape
        injected = torch.from_numpy(formula(f"tap:stage{i + 1}", (n, h, w, c), 1e-3)).to(dtype)
        loss = loss + (stage * injected.permute(0, 3, 1, 2)).sum()
    loss.backward()
    gradients("injected")

    fill(model, weights, dtype)
    sgd = torch.optim.SGD(
        model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=DECAY)
    losses = []
    for _ in range(steps(architecture)):
        sgd.zero_grad()
        loss = F.cross_entropy(model(images)[0], labels)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    result["trained.losses"] = np.array(losses)
    for n, p in model.named_parameters():
        before = weights[n].astype(np.float64).reshape(-1)
        result[f"trained.changes.{n}"] = numbers(p) - before
    statistics("trained")
    return result


def root_mean_square(values):
    return float(np.sqrt(np.mean(values**2)))


def group(key):
    return ".".join(key.split(".")[:2])


def spreads(rounded, exact, weights):
    """By group, the largest difference relative to the root mean square of its array.

    An array that is zero but for rounding (the gradient at a convolution's bias before a batch
    norm) is measured against the group's largest root mean square; a change of parameters against
    at least 1e-3 of the parameters, as their own rounding allows no more.
    """
    largest = {}
    for key, values in exact.items():
        largest[group(key)] = max(largest.get(group(key), 0.0), root_mean_square(values))
    spread = dict.fromkeys(largest, 0.0)
    for key, values in exact.items():
        scale = root_mean_square(values)
        if scale < ZERO * largest[group(key)]:
            scale = largest[group(key)]
        if key.startswith("trained.changes."):
            name = key.removeprefix("trained.changes.")
            scale = max(scale, 1e-3 * root_mean_square(weights[name]))
        difference = rounded[key] - values
        typical = key.startswith("trained.changes.")
        found = (root_mean_square(difference) if typical else float(np.max(np.abs(difference)))) / scale
        spread[group(key)] = max(spread[group(key)], found)
    return spread


def short(value):
    return float(f"{value:.9g}")


def fixture(name):
    architecture, classes, side, batch = CASES[name]
    images = choose_images(architecture, classes, side, batch)
    exact = run(architecture, classes, side, batch, images, torch.float64)
    rounded = run(architecture, classes, side, batch, images, torch.float32)
    described = arrays(architecture, classes)
    spread = spreads(rounded, exact, start(architecture, classes))
    limit = 8 if len(described) > MANY_ARRAYS else 32
    content = {
        "architecture": architecture, "classes": classes, "side": side, "batch": batch,
        "images": images, "samples": limit, "steps": steps(architecture),
        "parameters": [{"name": n, "shape": shape, "scale": scale, "offset": offset}
                       for n, (shape, scale, offset) in described.items()],
        "spread": {k: short(v) for k, v in spread.items()},
        "results": {},
    }
    for key, values in exact.items():
        content["results"][key] = {
            "norm": short(np.linalg.norm(values)),
            "values": [short(v) for v in values[samples(values.size, limit)]],
        }
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path = FIXTURES / f"{name}.json"
    text = json.dumps(content, separators=(",", ":")).replace('},"', '},\n"')
    path.write_text(text + "\n")
    nearest = margin(architecture, classes, side, batch, images)
    print(f"{name:12} {len(text) / 1000:.0f} kB  {images}: {nearest:.1e}  losses {exact['trained.losses'][0]:.4f} -> "
          f"{exact['trained.losses'][-1]:.4f}")
    for kind, value in spread.items():
        print(f"    {kind:24} {value:.1e}")


def architectures():
    """Per network: classes, trainable parameters, and the SHA-256 of its sorted "NAME SHAPE" lines."""
    content = {}
    for name, classes in [(n, 100) for n in torch_models.ARCHITECTURES] + [("resnet32_s", 10)]:
        model = torch_models.make(name, classes)
        lines = sorted(f"{n} {list(t.shape)}\n" for n, t in model.state_dict().items())
        content[f"{name} {classes}"] = {
            "parameters": torch_models.parameter_count(model), "arrays": len(lines),
            "sha256": hashlib.sha256("".join(lines).encode()).hexdigest()}
    path = FIXTURES.parent / "architectures.json"
    path.write_text(json.dumps(content, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=", ".join(CASES))
    torch.set_num_threads(1)
    names = parser.parse_args().names
    if not names:
        architectures()
    for name in names or CASES:
        fixture(name)


if __name__ == "__main__":
    main()
