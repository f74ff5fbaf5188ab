#!/usr/bin/env python3
"""Write Tests/DistillationTests/Fixtures/training-options.json: what PyTorch makes of the options of
a trainer and of the long-tail baselines, in float64.

    python3 tools/reference/training_options.py

Needs torch (made with 2.13.0 CPU). `inputs` holds logits of a student and a teacher for a weak and a
strong view of six images, their labels, and the class counts of a long-tailed training set. Every
entry of `losses` has the value and the gradients at the student's logits (weak, and strong where the
loss looks at it). `smoothed_*` are the methods' losses with label smoothing 0.1 in their cross entropy.

`cosine` holds the rates of CosineAnnealingLR, stepped once an epoch: base 0.1, minimum 0.001, 12
epochs, and again behind a linear warm-up of 3 epochs. `ema` holds fp32 values before and after five
updates of timm's ModelEmaV3 with decay 0.9, its lerp written out, in fp32.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

from trajectory import bkd_term, divergence, dkd_terms

OUTPUT = (pathlib.Path(__file__).resolve().parents[2]
          / "Tests/DistillationTests/Fixtures/training-options.json")
COUNTS = [500, 200, 80, 30, 10, 5, 1]
SMOOTHING = 0.1


def inputs():
    torch.manual_seed(10)
    draw = {name: 2.5 * torch.randn(6, len(COUNTS), dtype=torch.float64)
            for name in ("weak", "strong", "teacher_weak", "teacher_strong")}
    # Some confident and some doubtful teacher rows, so that masks differ.
    draw["teacher_weak"][::2] *= 4
    draw["teacher_strong"][3:] *= 0.05
    return draw, torch.tensor([0, 6, 3, 1, 5, 0])


def effective_weights(beta=0.9999):
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    weights = (1 - beta) / (1 - beta**counts)
    return weights * len(COUNTS) / weights.sum()


def focal(logits, labels, gamma, weights=None, smoothing=0.0):
    """FocalLoss of the LDAM and BKD code: the weight and the smoothing act inside the exponent."""
    u = F.cross_entropy(logits, labels, weight=weights, reduction="none", label_smoothing=smoothing)
    return ((1 - torch.exp(-u)) ** gamma * u).mean()


def ldam(cosines, labels, weights=None, smoothing=0.0, largest=0.5, scale=30.0):
    margins = 1 / torch.tensor(COUNTS, dtype=torch.float64) ** 0.25
    margins = margins * (largest / margins.max())
    shifted = cosines - F.one_hot(labels, len(COUNTS)) * margins[labels][:, None]
    return F.cross_entropy(scale * shifted, labels, weight=weights, label_smoothing=smoothing)


def adjusted(logits, labels, tau, smoothing=0.0):
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    return F.cross_entropy(
        logits + tau * torch.log(counts / counts.sum()), labels, label_smoothing=smoothing)


def crld(z, labels, base, smoothing=0.0, alpha=1.0, beta=2.0, per_view=False, temperature=4):
    """CRLD's views and masks over a loss of each image."""
    confident = {v: (F.softmax(z["teacher_" + v], 1).amax(1) >= bound).to(torch.float64)
                 for v, bound in (("weak", 0.9), ("strong", 0.2))}

    def term(student, teacher, mask):
        if base == "kd":
            rows = divergence(z[student], z["teacher_" + teacher], temperature)
        else:
            rows = []
            for i in range(len(labels)):
                target, others = dkd_terms(
                    z[student][i:i + 1], z["teacher_" + teacher][i:i + 1], labels[i:i + 1],
                    temperature)
                rows.append(alpha * target + beta * others)
            rows = torch.stack(rows)
        return (rows * confident[teacher if per_view else mask]).mean()

    truth = sum(F.cross_entropy(z[v], labels, label_smoothing=smoothing)
                for v in ("weak", "strong"))
    within = term("weak", "weak", "weak") + term("strong", "strong", "weak")
    cross = term("strong", "weak", "strong") + term("weak", "strong", "strong")
    return truth + 2 * within + 0.5 * cross


def losses(z, labels):
    weights = effective_weights()
    taught = z["teacher_weak"]

    def smoothed(logits, class_weights=None):
        return F.cross_entropy(
            logits, labels, weight=class_weights, label_smoothing=SMOOTHING)

    def dkd(logits):
        target, others = dkd_terms(logits, taught, labels)
        return smoothed(logits) + 0.5 * (target + 8 * others)  # epoch 10 of a warm-up of 20

    return {
        "smoothed_ce": lambda s: smoothed(s["weak"]),
        "smoothed_weighted_ce": lambda s: smoothed(s["weak"], weights),
        "smoothed_kd": lambda s: 0.1 * smoothed(s["weak"])
        + 0.9 * divergence(s["weak"], taught, 4).mean(),
        "smoothed_dkd": lambda s: dkd(s["weak"]),
        "smoothed_bkd": lambda s: smoothed(s["weak"]) + bkd_term(s["weak"], taught, weights),
        "smoothed_crld": lambda s: crld(s, labels, "kd", SMOOTHING),
        "crld_dkd": lambda s: crld(s, labels, "dkd"),
        "crld_dkd_per_teacher_view": lambda s: crld(
            s, labels, "dkd", alpha=0.5, beta=8.0, per_view=True),
        "focal": lambda s: focal(s["weak"], labels, 1.0),
        "focal_gamma0.5_weighted": lambda s: focal(s["weak"], labels, 0.5, weights),
        "smoothed_focal": lambda s: focal(s["weak"], labels, 2.0, weights, SMOOTHING),
        "ldam": lambda s: ldam(s["weak"], labels),
        "smoothed_ldam_weighted": lambda s: ldam(s["weak"], labels, weights, SMOOTHING),
        "la": lambda s: adjusted(s["weak"], labels, 1.0),
        "smoothed_la_tau1.5": lambda s: adjusted(s["weak"], labels, 1.5, SMOOTHING),
    }


def value_and_gradients(loss, z):
    z = {name: t.clone().requires_grad_(not name.startswith("teacher")) for name, t in z.items()}
    value = loss(z)
    value.backward()
    entry = {"value": value.item(), "gradient": z["weak"].grad.tolist()}
    if z["strong"].grad is not None:
        entry["strong_gradient"] = z["strong"].grad.tolist()
    return entry


def cosine_rates(epochs, warmup, base=0.1, minimum=0.001):
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    sgd = torch.optim.SGD([parameter], base)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, epochs - warmup, minimum)
    rates = [base * (e + 1) / warmup for e in range(warmup)]
    for _ in range(epochs - warmup):
        rates.append(schedule.get_last_lr()[0])
        sgd.step()
        schedule.step()
    return rates


def averages(decay=0.9):
    torch.manual_seed(11)
    values = torch.randn(6, 16)
    average = values[0].clone()
    after = []
    for value in values[1:]:
        average += (1.0 - decay) * (value - average)
        after.append(average.tolist())
    return {"decay": decay, "values": values.tolist(), "averages": after}


def main():
    z, labels = inputs()
    content = {
        "inputs": {**{name: t.tolist() for name, t in z.items()}, "labels": labels.tolist(),
                   "counts": COUNTS, "smoothing": SMOOTHING},
        "losses": {name: value_and_gradients(loss, z) for name, loss in losses(z, labels).items()},
        "cosine": {"plain": cosine_rates(12, 0), "warmup3": cosine_rates(12, 3)},
        "ema": averages(),
    }
    OUTPUT.write_text(json.dumps(content, separators=(",", ":")).replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
