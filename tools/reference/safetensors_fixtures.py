#!/usr/bin/env python3
"""Write (or check) a small safetensors file with the reference library, for NetworksTests.

    python3 safetensors_fixtures.py                 # writes Tests/NetworksTests/Fixtures/reference.safetensors
    python3 safetensors_fixtures.py --check FILE    # FILE, written by this project, holds the same

Needs torch and safetensors from PyPI (made with torch 2.13.0, safetensors 0.8.0). The values are
small enough to be exact in every element type; the Swift test repeats them.
"""
import argparse
import pathlib

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "Tests/NetworksTests/Fixtures"

METADATA = {"note": 'quote " backslash \\ tab \t newline \n bell \x07 é 漢 🙂'}

TENSORS = {
    "conv.weight": torch.arange(12, dtype=torch.float32).reshape(2, 3, 1, 2) / 4 - 1,
    "half": torch.tensor([0.0, -0.0, 1.5, 65504.0, 2.0**-24, 2.0**-14, float("inf")]).half(),
    "bfloat": torch.tensor([0.0, 1.0, -2.5, 2.0**100]).bfloat16(),
    "double": torch.tensor([[0.1], [1e300]], dtype=torch.float64),
    "bn.num_batches_tracked": torch.tensor(123456789012, dtype=torch.int64),
    "int": torch.tensor([-2147483648, 7], dtype=torch.int32),
    "byte": torch.tensor([0, 255, 3], dtype=torch.uint8),
    "flags": torch.tensor([True, False, True]),
    "empty": torch.zeros(0, 3),
    "name é 🙂": torch.tensor([3.25]),
}


def check(path):
    """Compares what `path` holds with the tables above."""
    found = load_file(path)
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == METADATA, file.metadata()
    assert sorted(found) == sorted(TENSORS), sorted(found)
    for name, expected in TENSORS.items():
        assert found[name].dtype == expected.dtype, name
        assert found[name].shape == expected.shape, name
        assert torch.equal(found[name], expected), name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", metavar="FILE")
    path = parser.parse_args().check
    if path is None:
        FIXTURES.mkdir(parents=True, exist_ok=True)
        path = FIXTURES / "reference.safetensors"
        save_file(TENSORS, path, metadata=METADATA)
    check(path)
    print(path, "holds what the reference library expects")


if __name__ == "__main__":
    main()
