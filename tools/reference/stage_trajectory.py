#!/usr/bin/env python3
"""Write Tests/DistillationTests/Fixtures/stage-trajectory.json: whole small runs of stage-by-stage
distillation and of the long-tail baselines.

    CIFAR_ROOT=DIR python3 stage_trajectory.py       # DIR holds cifar-100-binary/train.bin

Needs what trajectory.py needs, and has its images, views, teacher and weight decay. A step is an
epoch of one batch. SGD has momentum 0.9.

`stages` (arXiv 1812.01819; lr 0.01, head 0.02, joint lr 0.001; batch norms of untrained parts in
inference mode; every part with an optimiser of its own, whose rate drops to a tenth at 60 % and
again at 85 % of its steps):

  staged    4 steps for each stage of resnet20 with the others frozen, then 4 for the head
  scaled    the same with both sides divided by the teacher's deviation of each channel
  unfrozen  the same, but a stage's error trains the stages before it too
  joint     8 steps for all stages at once, then 4 for the head
  adapted   as staged, wrn_16_2 in place of resnet20: a 1x1 convolution and a batch norm lead each
            tap to the teacher's channels. lr 0.001

`long_tail` (the class counts are those of the 64 images; lr 0.001, half of it in step 1, a tenth
of it behind step 4; 7 steps):

  ldam   resnet20_s_normed, margins up to 0.5, scale 30, from step 4 on class weights of the
         effective number with beta 0.9999; Nesterov; weights averaged with decay 0.8; lr 0.0001
  focal  resnet20, gamma 1.5, class weights with beta 0.999; weights averaged with decay 0.8
  la     resnet20, tau 1.5; Nesterov
  ce     resnet20, from step 4 on class weights with beta 0.9999; Nesterov

resnet20 begins with its published weights. wrn_16_2, resnet20_s_normed and the adapters begin with
what the project draws for the seeds 5, 3 and 5: the streams are documented in
Sources/Networks/Initialization.swift and Sources/Tensors/RandomStream.swift.

`fp64`, `fp32` and `spread` are those of trajectory.py. `moved` says of each part (the stages, then
the head) how far its weights and its running statistics went in the whole run, as the Euclidean
length of the change, and how many batches one of its batch norms has counted; `averaged` is the
same for the averaged weights.
"""
import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import torch_models
from trajectory import CLASSES, PROJECT, network, records

sys.path.insert(0, str(PROJECT / "tools/python"))
from teacher_cache.draws import philox  # noqa: E402

OUTPUT = PROJECT / "Tests/DistillationTests/Fixtures/stage-trajectory.json"

STAGES = {
    "staged": {},
    "scaled": {"scaled": True},
    "unfrozen": {"freeze": False},
    "joint": {"joint": True, "rate": 0.001},
    "adapted": {"student": "wrn_16_2", "seed": 5, "rate": 0.001},
}
LONG_TAIL = {
    "ldam": {"student": "resnet20_s_normed", "seed": 3, "rate": 0.0001, "nesterov": True,
             "decay": 0.8},
    "focal": {"decay": 0.8},
    "la": {"nesterov": True},
    "ce": {"nesterov": True},
}


def uniforms(seed, name, count):
    """The first uniform numbers of a parameter's stream."""
    stream = 0xCBF29CE484222325
    for byte in name.encode():
        stream = (stream ^ byte) * 0x100000001B3 % 2**64
    words = philox(seed, np.arange((count + 1) // 2), np.array(stream % 2**32),
                   np.array(stream >> 32), 0x696E6974).reshape(-1, 2)
    high, low = words[:, 0] >> np.uint64(5), words[:, 1] >> np.uint64(6)
    return torch.from_numpy((high << np.uint64(26) | low).astype(np.float64) / 2**53)[:count]


def normals(seed, name, count):
    u, v = uniforms(seed, name, 2 * count).reshape(-1, 2).T
    return (-2 * torch.log1p(-u)).sqrt() * torch.cos(2 * math.pi * v)


def drawn(name, seed):
    """A network with the first weights that the project gives it, rounded to fp32 as there."""
    model = torch_models.make(name, CLASSES)
    for key, parameter in model.named_parameters():
        shape, count = parameter.shape, parameter.numel()
        if len(shape) == 4:
            fan = shape[0] if name.startswith("wrn") else shape[1]
            values = normals(seed, key, count) * math.sqrt(2 / (fan * shape[2] * shape[3]))
        elif key == "linear.weight":  # inputs x outputs, unit columns
            values = F.normalize((2 * uniforms(seed, key, count) - 1).reshape(shape), dim=0)
        elif key == "fc.weight":
            values = (2 * uniforms(seed, key, count) - 1) / math.sqrt(shape[1])
        else:
            values = torch.full(shape, float(key.endswith("weight")))
        parameter.data = values.reshape(shape).float()
    return model


def adapter(stage, inputs, outputs, seed, dtype):
    if inputs == outputs:
        return None
    layers = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
    values = 2 * uniforms(seed, f"adapter.stage{stage + 1}.0.weight", inputs * outputs) - 1
    layers[0].weight.data = (
        (values / math.sqrt(inputs)).float().reshape(outputs, inputs, 1, 1))
    return layers.to(dtype)


def parts(model):
    """The stages, then the head; each maps the output of the one before it."""
    if isinstance(model, torch_models.WideResNet):
        stages = [nn.Sequential(model.conv1, model.block1), model.block2, model.block3]
        before, head = [model.bn1, nn.ReLU()], model.fc
    else:
        stages = [nn.Sequential(model.conv1, model.bn1, nn.ReLU(), model.layer1), model.layer2,
                  model.layer3]
        before, head = [], getattr(model, model.head_name)
    return stages + [nn.Sequential(*before, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)]


class Run:
    """A student, its images, and what is written down of it."""

    def __init__(self, dtype, student="resnet20", seed=None, decay=None):
        self.labels, pixels = records()
        published, view = network("resnet20", dtype)
        self.images = view(pixels)
        model = published if seed is None else drawn(student, seed).to(dtype)
        self.parts = parts(model)
        self.begin = self.states()
        self.average = self.states() if decay else None
        self.decay = decay
        self.losses = []

    def states(self):
        return [{name: value.clone() for name, value in part.state_dict().items()}
                for part in self.parts]

    def train(self, trained, steps, rates, loss, nesterov=False, adapters=(), last=3):
        """Steps that change the parts `trained` and go no further than part `last`."""
        for i, part in enumerate(self.parts):
            part.train(i in trained).requires_grad_(i in trained)
        parameters = [p for i in trained for p in self.parts[i].parameters()]
        parameters += [p for layers in adapters if layers for p in layers.parameters()]
        sgd = torch.optim.SGD(
            parameters, lr=1, momentum=0.9, weight_decay=5e-4, nesterov=nesterov)
        for step in range(steps):
            sgd.param_groups[0]["lr"] = rates(step)
            outputs, x = [], self.images
            for part in self.parts[:last + 1]:
                x = part(x)
                outputs.append(x)
            value = loss(outputs, step)
            sgd.zero_grad()
            value.backward()
            sgd.step()
            self.losses.append(value.item())
            if self.decay:
                for mine, now in zip(self.average, self.states()):
                    for name, value in now.items():
                        if value.is_floating_point():
                            mine[name] += (1 - self.decay) * (value - mine[name])
                        else:
                            mine[name] = value

    def moved(self, states):
        def length(running, end, begin):
            return math.sqrt(sum(
                ((end[name] - begin[name]) ** 2).sum().item() for name in end
                if "num_batches" not in name and ("running_" in name) == running))

        counts = [[int(end[name] - begin[name]) for name in end if "num_batches" in name] or [0]
                  for end, begin in zip(states, self.begin)]
        assert all(len(set(c)) == 1 for c in counts)
        return {
            "weights": [length(False, *pair) for pair in zip(states, self.begin)],
            "statistics": [length(True, *pair) for pair in zip(states, self.begin)],
            "batches": [c[0] for c in counts]}

    def result(self):
        content = {"losses": self.losses, "moved": self.moved(self.states())}
        if self.decay:
            content["averaged"] = self.moved(self.average)
        return content


def tap_widths(run):
    """The channels of the student's taps, from a pass in inference mode."""
    widths, x = [], run.images
    for part in run.parts[:3]:
        x = part.eval()(x)
        widths.append(x.shape[1])
    return widths


def stage_run(dtype, student="resnet20", seed=None, rate=0.01, freeze=True, joint=False,
              scaled=False):
    run = Run(dtype, student, seed)
    teacher, view = network("resnet56", dtype)
    with torch.no_grad():
        taught = teacher.eval()(view(records()[1]))[1]
        widths = tap_widths(run)
    deviations = [x.var((0, 2, 3), correction=0, keepdim=True).sqrt() if scaled else 1
                  for x in taught]

    def rates(base, steps):
        drops = [math.floor(steps * share + 0.5) for share in (0.6, 0.85)]
        return lambda step: base * 0.1 ** sum(step >= drop for drop in drops)

    for stages in ([range(3)] if joint else [[0], [1], [2]]):
        adapters = {i: adapter(i, widths[i], taught[i].shape[1], seed, dtype) for i in stages}

        def error(outputs, step):
            total = 0
            for i in stages:
                own = adapters[i](outputs[i]) if adapters[i] else outputs[i]
                total = total + ((own / deviations[i] - taught[i] / deviations[i]) ** 2).mean()
            return total

        steps = 8 if joint else 4
        trained = stages if freeze else range(stages[-1] + 1)
        run.train(trained, steps, rates(rate, steps), error, adapters=adapters.values(),
                  last=stages[-1])
    run.train([3], 4, rates(0.02, 4), lambda outputs, _: F.cross_entropy(outputs[3], run.labels))
    return run.result()


def long_tail_run(method, dtype, student="resnet20", seed=None, rate=0.001, nesterov=False,
                  decay=None):
    run = Run(dtype, student, seed, decay)
    labels = run.labels
    counts = torch.bincount(labels, minlength=CLASSES).to(dtype)

    def weights(beta):
        raw = (1 - beta) / (1 - beta**counts.double().clamp(min=1))
        return (raw / raw[counts > 0].mean()).to(dtype)

    def ldam(logits, step):
        margins = torch.where(counts > 0, counts.clamp(min=1) ** -0.25, 0)
        margins = margins * (0.5 / margins.max())
        shifted = logits - F.one_hot(labels, CLASSES) * margins[labels][:, None]
        return F.cross_entropy(
            30 * shifted, labels, weight=weights(0.9999) if step >= 3 else None)

    def focal(logits, step):
        u = F.cross_entropy(logits, labels, weight=weights(0.999), reduction="none")
        return ((1 - torch.exp(-u)) ** 1.5 * u).mean()

    def la(logits, step):
        shares = counts.clamp(min=1) / counts.clamp(min=1).sum()
        return F.cross_entropy(logits + 1.5 * shares.log(), labels)

    def ce(logits, step):
        return F.cross_entropy(logits, labels, weight=weights(0.9999) if step >= 3 else None)

    loss = {"ldam": ldam, "focal": focal, "la": la, "ce": ce}[method]
    rates = [rate / 2, rate, rate, rate] + 3 * [rate / 10]
    run.train(range(4), 7, rates.__getitem__, lambda outputs, step: loss(outputs[3], step),
              nesterov)
    return run.result()


def both(make):
    exact, rounded = make(torch.float64), make(torch.float32)
    content = {"fp64": exact.pop("losses"), "fp32": rounded.pop("losses")}
    content["spread"] = max(abs(a / b - 1) for a, b in zip(content["fp32"], content["fp64"]))
    for key, moved in exact.items():
        differences = [abs(a / b - 1) for kind in ("weights", "statistics")
                       for a, b in zip(rounded[key][kind], moved[kind]) if b]
        print(f"  {key} within {max(differences):.1e}")
    return content | exact


def main():
    torch.set_num_threads(1)
    content = {"stages": {}, "long_tail": {}}
    for name, options in STAGES.items():
        content["stages"][name] = both(lambda dtype: stage_run(dtype, **options))
    for name, options in LONG_TAIL.items():
        content["long_tail"][name] = both(lambda dtype: long_tail_run(name, dtype, **options))
    for group in content.values():
        for name, run in group.items():
            print(f"{name:9} fp32 within {run['spread']:.1e}", [round(v, 5) for v in run["fp64"]])
    OUTPUT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
