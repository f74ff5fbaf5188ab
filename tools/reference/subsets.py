#!/usr/bin/env python3
"""Writes Tests/DatasetsTests/Fixtures/subsets.json: long-tailed subsets as NumPy draws them.

Labels are made by a rule that the Swift test repeats: image i of n has class (i // 3) % classes, and
with `uneven` class (i // 3) * (i // 7) % classes. The ids are hashed as text, ascending, one a line.

    pip install numpy
    python3 tools/reference/subsets.py
"""

import hashlib
import json
import os

import numpy as np

FIXTURES = os.path.join(os.path.dirname(__file__), "../../Tests/DatasetsTests/Fixtures")


def labels(images, classes, uneven):
    i = np.arange(images)
    return (i // 3) * (i // 7) % classes if uneven else (i // 3) % classes


def subset(labels, classes, kind, ratio):
    """imbalance_cifar.py of LDAM-DRW and BKD, with img_max = the smallest class."""
    largest, factor = np.bincount(labels, minlength=classes).min(), 1 / ratio
    if kind == "exp":
        counts = [int(largest * factor ** (k / (classes - 1.0))) for k in range(classes)]
    else:
        counts = [int(largest)] * (classes // 2) + [int(largest * factor)] * (classes - classes // 2)
    np.random.seed(0)
    kept = []
    for label, count in enumerate(counts):
        members = np.where(labels == label)[0]
        np.random.shuffle(members)
        kept += members[:count].tolist()
    return counts, sorted(kept)


rows = []
for images, classes, uneven, kind, ratio in [
        (50000, 10, False, "exp", 100), (50000, 10, False, "exp", 10), (50000, 100, False, "exp", 100),
        (50000, 100, False, "exp", 1), (50000, 100, False, "step", 50), (4000, 10, True, "exp", 20),
        (4000, 10, True, "step", 12.5), (2100, 7, False, "step", 3), (50, 2, False, "exp", 2)]:
    counts, ids = subset(labels(images, classes, uneven), classes, kind, ratio)
    text = "".join(f"{i}\n" for i in ids)
    rows.append(dict(images=images, classes=classes, uneven=uneven, subset=f"{kind}:{ratio}",
                     counts=counts, total=len(ids), first=ids[:5],
                     sha256=hashlib.sha256(text.encode()).hexdigest()))
with open(os.path.join(FIXTURES, "subsets.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
