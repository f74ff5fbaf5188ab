"""PyTorch doing the same job online: views on the fly, the teacher in every step.

KD sees RandomCrop and a flip; CRLD a second, strong view of every image too (two random operations
and a cutout, by Pillow). No DataLoader: its worker processes would take the cores from the step.
"""
import pathlib

import networks
import numpy as np
import torch
import torch.nn.functional as F
from conversation import JOB, serve_steps
from strong_views import strengthen
from torch_step import kd_loss

MEAN = torch.tensor([0.5071, 0.4867, 0.4408]).view(1, 3, 1, 1)
STD = torch.tensor([0.2675, 0.2565, 0.2761]).view(1, 3, 1, 1)


def load(folder, count):
    """The first images of CIFAR-100's training file: N×3×32×32 bytes, labels."""
    file = pathlib.Path(folder) / "train.bin"
    records = np.fromfile(file, np.uint8, count * 3074).reshape(-1, 3074)
    return (torch.from_numpy(records[:, 2:].reshape(-1, 3, 32, 32).copy()),
            torch.from_numpy(records[:, 1].astype(np.int64)))


def crop_and_flip(images, padding=4):
    """RandomCrop with black borders and a flip for half of them, the whole batch at once."""
    n, _, h, w = images.shape
    padded = F.pad(images, [padding] * 4)
    top, left = torch.randint(0, 2 * padding + 1, (2, n, 1))
    columns = torch.arange(w).expand(n, w)
    columns = torch.where(torch.rand(n, 1) < 0.5, columns, w - 1 - columns) + left
    rows = torch.arange(h) + top
    index = torch.arange(n).view(n, 1, 1)
    return padded.permute(0, 2, 3, 1)[index, rows.unsqueeze(2), columns.unsqueeze(1)]


def normalised(bytes_nhwc):
    """N×H×W×3 bytes to N×3×H×W floats that lie channels last."""
    images = bytes_nhwc.permute(0, 3, 1, 2).to(torch.float32)
    return images.div_(255).sub_(MEAN).div_(STD)


def crld_loss(weak, strong, teacher_weak, teacher_strong, labels, temperature=4.0):
    """Masked cross-view consistency with the weights of its CIFAR-100 configuration."""
    def divergence(student, teacher):
        return temperature**2 * F.kl_div(
            F.log_softmax(student / temperature, 1), F.softmax(teacher / temperature, 1),
            reduction="none").sum(1)

    sure_weak = (F.softmax(teacher_weak, 1).max(1).values >= 0.9).float()
    sure_strong = (F.softmax(teacher_strong, 1).max(1).values >= 0.2).float()
    within = (divergence(weak, teacher_weak) + divergence(strong, teacher_strong)) * sure_weak
    across = (divergence(strong, teacher_weak) + divergence(weak, teacher_strong)) * sure_strong
    labelled = F.cross_entropy(weak, labels) + F.cross_entropy(strong, labels)
    return labelled + 2 * within.mean() + 0.5 * across.mean()


def main():
    torch.set_num_threads(JOB["threads"])
    pixels, labels = load(JOB["data"], JOB["images"])
    teacher = networks.make(JOB["teacher"]).eval()
    student = networks.make(JOB["network"]).train()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    batch, crld = JOB["batch"], JOB["method"] == "crld"
    random = np.random.default_rng(0)

    def ask(images):
        with torch.no_grad():
            return teacher(images)

    def step():
        chosen = torch.randint(0, len(pixels), (batch,))
        raw, truth = pixels[chosen], labels[chosen]
        optimizer.zero_grad(set_to_none=True)
        weak = normalised(crop_and_flip(raw))
        if crld:
            strong = normalised(strengthen(crop_and_flip(raw), random))
            loss = crld_loss(student(weak), student(strong), ask(weak), ask(strong), truth)
        else:
            loss = kd_loss(student(weak), truth, ask(weak))
        loss.backward()
        optimizer.step()
        return loss.item()

    serve_steps(step, batch)


if __name__ == "__main__":
    main()
