"""Tests of tools/convert-weights: python3 -m unittest discover -s Tests/NetworksTests/Python

Those that need PyTorch or the safetensors package are skipped by name where these are missing.
"""
import importlib.util
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools/convert-weights"
REFERENCE = pathlib.Path(__file__).resolve().parents[1] / "Fixtures/reference.safetensors"
HAS_TORCH = importlib.util.find_spec("torch") is not None
HAS_SAFETENSORS = importlib.util.find_spec("safetensors") is not None
needs_torch = unittest.skipUnless(HAS_TORCH, "needs torch")
needs_both = unittest.skipUnless(HAS_TORCH and HAS_SAFETENSORS, "needs torch and safetensors")


def header(path):
    content = path.read_bytes()
    return json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])


class ConvertWeights(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "out.safetensors"

    def convert(self, source, *options, expect=0, python=sys.executable, **environment):
        done = subprocess.run(
            [python, str(TOOL), str(source), str(self.output), *options], text=True,
            capture_output=True, env={**os.environ, **environment})
        self.assertEqual(done.returncode, expect, done.stderr)
        if expect:
            self.assertFalse(self.output.exists())
        self.assertFalse(list(self.folder.glob("*.partial")))
        return done.stderr

    def save(self, content, name="in.pth"):
        import torch
        torch.save(content, self.folder / name)
        return self.folder / name

    def test_a_safetensors_file_keeps_its_arrays_and_metadata(self):
        self.convert(REFERENCE, "--arch", "resnet8", "--mean", "0.5,0.25,0.125", "--std", "1,1,1")
        old, new = header(REFERENCE), header(self.output)
        metadata = new.pop("__metadata__")
        self.assertEqual(metadata["note"], old.pop("__metadata__")["note"])
        self.assertEqual(metadata["architecture"], "resnet8")
        self.assertEqual(metadata["mean"], "0.5,0.25,0.125")
        self.assertEqual(metadata["format"], "pt")
        self.assertEqual(list(metadata), sorted(metadata))
        self.assertEqual(old, new)
        self.assertTrue(self.output.read_bytes().endswith(REFERENCE.read_bytes()[-112:]))

    def test_wrong_usage_is_64(self):
        self.assertIn("three numbers", self.convert(REFERENCE, "--mean", "1,2", expect=64))
        for wrong in (["--mean", "125.3,123,113.9"], ["--mean=-1,0,0"], ["--std", "0.2,0,0.2"],
                      ["--std", "63,62,66"], ["--std", "nan,1,1"]):
            self.assertIn("three numbers", self.convert(REFERENCE, *wrong, expect=64))
        self.assertIn("invalid choice", self.convert(REFERENCE, "--dataset", "imagenet", expect=64))

    def test_a_missing_file_is_66(self):
        self.assertIn("no such file", self.convert(self.folder / "absent.pth", expect=66))

    def test_a_cut_safetensors_file_is_65(self):
        cut = self.folder / "cut.safetensors"
        cut.write_bytes(REFERENCE.read_bytes()[:-1])
        self.assertIn("do not end", self.convert(cut, expect=65))

    def test_a_missing_output_folder_is_73(self):
        self.output = self.folder / "absent" / "out.safetensors"
        self.assertIn("cannot be written", self.convert(REFERENCE, expect=73))

    def test_without_torch_it_names_the_command_that_installs_it(self):
        (self.folder / "torch.py").write_text("raise ImportError('not here')\n")
        source = self.folder / "in.pth"
        source.write_bytes(b"PK\x03\x04 something")
        message = self.convert(source, expect=69, PYTHONPATH=str(self.folder))
        self.assertIn("pip install torch", message)

    @needs_both
    def test_checkpoints_of_the_known_codes_become_the_same_file(self):
        import torch
        from safetensors.torch import load_file
        weights = {"conv1.weight": torch.randn(4, 3, 3, 3),
                   "bn1.num_batches_tracked": torch.tensor(7), "fc.bias": torch.randn(4).half()}
        wrapped = {f"module.{name}": tensor for name, tensor in weights.items()}
        compiled = {f"_orig_mod.{name}": tensor for name, tensor in wrapped.items()}
        files = set()
        for content in (weights, {"model": weights, "epoch": 240}, {"net": compiled},
                        {"state_dict": wrapped, "optimizer": {"lr": 0.1}}):
            self.convert(self.save(content), "--arch", "resnet20", "--dataset", "cifar100")
            files.add(self.output.read_bytes())
            found = load_file(self.output)
            self.assertEqual(set(found), set(weights))
            self.assertTrue(all(torch.equal(found[n], weights[n]) for n in weights))
            self.output.unlink()
        self.assertEqual(len(files), 1)

    @needs_torch
    def test_numbers_of_numpy_beside_the_weights_are_let_through(self):
        import numpy
        import torch
        weights = {"fc.bias": torch.ones(4)}
        best = {"best_acc": numpy.float64(72.63), "epoch": numpy.int64(240), "t": numpy.float32(4)}
        self.convert(self.save({"model": weights, **best}))
        self.assertEqual(list(header(self.output)), ["__metadata__", "fc.bias"])

    @needs_both
    def test_its_bytes_are_those_of_the_reference_library(self):
        import torch
        from safetensors.torch import save_file
        weights = {"b": torch.randn(3), "a": torch.randn(2, 2), "n": torch.tensor(3),
                   "é": torch.zeros(1).bfloat16()}
        self.convert(self.save(weights))
        save_file(weights, self.folder / "reference.safetensors", metadata={"format": "pt"})
        self.assertEqual(
            self.output.read_bytes(), (self.folder / "reference.safetensors").read_bytes())

    @needs_torch
    def test_a_checkpoint_that_runs_code_is_refused_and_not_run(self):
        mark = self.folder / "mark"

        class Evil:
            def __reduce__(self):
                return (pathlib.Path.touch, (mark,))

        message = self.convert(self.save({"weight": Evil()}), expect=65)
        self.assertIn("could run code", message)
        self.assertFalse(mark.exists())

    @needs_torch
    def test_what_is_no_state_dict_is_65(self):
        import torch
        self.assertIn("holds a list", self.convert(self.save([1, 2]), expect=65))
        self.assertIn("'epoch' is a int", self.convert(self.save({"epoch": 3}), expect=65))
        nan = {"w": torch.tensor([float("nan")])}
        self.assertIn("not finite", self.convert(self.save(nan), expect=65))
        twice = {"w": torch.zeros(1), "module.w": torch.zeros(1)}
        self.assertIn("comes twice", self.convert(self.save(twice), expect=65))
        damaged = self.folder / "damaged.pth"
        damaged.write_bytes(b"not a checkpoint at all")
        self.convert(damaged, expect=65)


if __name__ == "__main__":
    unittest.main()
