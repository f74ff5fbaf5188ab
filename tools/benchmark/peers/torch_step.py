"""PyTorch on this processor: the bare training step, inference, or a single convolution.

Channels last, tcmalloc preloaded by tools/bench: the strongest setting found. `precision: bf16` runs
under autocast.
"""
import json
import statistics

import torch
import torch.nn.functional as F
from conversation import JOB, serve, serve_steps, times_of

CHANNELS_LAST = torch.channels_last


def random_images(size):
    return torch.randn(size, 3, 32, 32).to(memory_format=CHANNELS_LAST)


def kd_loss(logits, labels, teacher, temperature=4.0):
    """0.1 CE + 0.9 T² KL, mdistiller's weights."""
    soft = F.kl_div(F.log_softmax(logits / temperature, 1), F.softmax(teacher / temperature, 1),
                    reduction="batchmean")
    return 0.1 * F.cross_entropy(logits, labels) + 0.9 * temperature**2 * soft


def train():
    import networks
    model = networks.make(JOB["network"]).train()
    batch = JOB["batch"]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    data = [(random_images(batch), torch.randint(0, 100, (batch,)), 3 * torch.randn(batch, 100))
            for _ in range(4)]
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=JOB.get("precision") == "bf16")
    number = 0

    def step():
        nonlocal number
        images, labels, teacher = data[number % len(data)]
        number += 1
        optimizer.zero_grad(set_to_none=True)
        with half:
            logits = model(images)
        logits = logits.float()
        if JOB.get("loss", "ce") == "kd":
            loss = kd_loss(logits, labels, teacher)
        else:
            loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    serve_steps(step, batch)


def infer():
    import networks
    model = networks.make(JOB["network"]).eval()
    batch = JOB["batch"]
    data = [random_images(batch) for _ in range(4)]
    number = 0

    def step():
        nonlocal number
        number += 1
        with torch.inference_mode():
            return model(data[number % len(data)])[0, 0].item()

    serve_steps(step, batch)


def convolution():
    """GF/s of the three passes, counting only what meets no padding."""
    shape, batch = JOB["convolution"], JOB["batch"]
    side, kernel, stride = shape["size"], shape["kernel"], shape["strides"]
    padding = kernel // 2
    out = (side + 2 * padding - kernel) // stride + 1
    x = torch.randn(batch, shape["inputs"], side, side).to(memory_format=CHANNELS_LAST)
    weights = torch.randn(shape["outputs"], shape["inputs"] // shape["groups"], kernel, kernel)
    weights = weights.to(memory_format=CHANNELS_LAST)
    gradient = torch.randn(batch, shape["outputs"], out, out).to(memory_format=CHANNELS_LAST)
    reached = sum(min(side, o * stride - padding + kernel) - max(0, o * stride - padding)
                  for o in range(out))
    operations = 2 * batch * reached**2 * shape["inputs"] // shape["groups"] * shape["outputs"]

    def backward(mask):
        return torch.ops.aten.convolution_backward(
            gradient, x, weights, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0],
            shape["groups"], mask)

    passes = {
        "forward": lambda: F.conv2d(x, weights, None, stride, padding, 1, shape["groups"]),
        "input_gradient": lambda: backward([True, False, False]),
        "weight_gradient": lambda: backward([False, True, False]),
    }

    def measure():
        seconds = JOB.get("seconds", 1.0) / len(passes)
        return {name: operations / statistics.median(times_of(call, seconds)) * 1e-9
                for name, call in passes.items()}

    with torch.no_grad():
        for call in passes.values():
            call()
        serve(measure)


def versions():
    import importlib.metadata as metadata
    print(json.dumps({name: metadata.version(name)
                      for name in ("torch", "onnxruntime", "openvino")}))


def network_names():
    import networks
    print(json.dumps(networks.names()))


if __name__ == "__main__":
    torch.set_num_threads(JOB.get("threads", 1))
    {"train": train, "infer": infer, "convolution": convolution, "versions": versions,
     "networks": network_names}[JOB["mode"]]()
