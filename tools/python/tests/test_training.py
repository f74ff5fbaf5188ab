"""Epochs that prove their pixels, also as a PyTorch data set, and a network as a teacher."""

import copy
import importlib.util
import json
import math
import pathlib
import pickle
import tempfile
import unittest

import support
from support import IMAGES, cache_path, same_bits

import numpy as np
import teacher_cache

if importlib.util.find_spec("torch"):
    import torch


def changed_digits():
    """The digits with another pixel in the second image."""
    pixels = support.digits().pixels.copy()
    pixels[IMAGES[1], 14, 14, 1] ^= 1
    return teacher_cache.ImageSet(support.digits().info, pixels, support.digits().labels)


@support.needs_programs
@support.needs_torch
class Datasets(unittest.TestCase):
    def test_an_item_is_image_label_logits_and_features(self):
        cache = teacher_cache.open(cache_path("fp32"))
        data = teacher_cache.Dataset(cache, support.digits(), taps=support.TAPS)
        self.assertEqual(len(data), len(IMAGES))
        renderer = teacher_cache.ViewRenderer(support.digits(), 0)
        for epoch in (0, 1, 2):
            data.set_epoch(epoch)
            self.assertEqual(str(data.view), f"weak:{epoch % 2}")
            image, label, logits, features = data[2]
            pixels = renderer.render(IMAGES[2], data.view)
            expected = (pixels / 255 - 0.1307) / 0.3081
            self.assertTrue(np.allclose(image.numpy(), expected.transpose(2, 0, 1), atol=1e-6))
            self.assertEqual(label, cache.label(IMAGES[2]))
            self.assertTrue(same_bits(logits.numpy(), cache.logits(IMAGES[2], data.view)))
            for tap in support.TAPS:
                stored = cache.features(IMAGES[2], data.view, tap).transpose(2, 0, 1)
                self.assertTrue(same_bits(features[tap].numpy(), stored))

    def test_workers_see_the_epoch(self):
        data = teacher_cache.Dataset(cache_path("coarse"), support.digits(), "strong")
        for persistent in (False, True):
            loader = torch.utils.data.DataLoader(
                data, batch_size=3, num_workers=2, persistent_workers=persistent
            )
            for epoch in (0, 5):
                data.set_epoch(epoch)
                batches = list(loader)
                logits = torch.cat([batch[2] for batch in batches]).numpy()
                labels = torch.cat([batch[1] for batch in batches]).tolist()
                rows = data.cache.read_batch(IMAGES, f"strong:{epoch}")
                self.assertTrue(same_bits(logits, rows.logits))
                self.assertEqual(labels, rows.labels.tolist())
                self.assertEqual(tuple(batches[0][0].shape), (3, 3, 28, 28))

    def test_workers_of_a_copy_see_its_epoch(self):
        first = teacher_cache.Dataset(cache_path("coarse"), support.digits(), "strong")
        for copied in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
            loader = torch.utils.data.DataLoader(
                copied, batch_size=len(IMAGES), num_workers=1, persistent_workers=True
            )
            for epoch in (0, 5):
                copied.set_epoch(epoch)
                rows = copied.cache.read_batch(IMAGES, f"strong:{epoch}")
                for _, _, logits in loader:
                    self.assertTrue(same_bits(logits.numpy(), rows.logits))
        self.assertEqual(str(first.view), "strong:0")

    def test_what_is_wrong_in_a_worker_is_raised_as_what_it_is(self):
        data = teacher_cache.Dataset(cache_path("q8"), support.digits())
        data.epochs.renderer.images = changed_digits()
        loader = torch.utils.data.DataLoader(data, batch_size=3, num_workers=1)
        with self.assertRaisesRegex(teacher_cache.ReplayMismatch, f"image {IMAGES[1]}, view weak"):
            list(loader)


@support.needs_programs
class Epochs(unittest.TestCase):
    def test_a_batch_is_what_the_teacher_saw_and_said(self):
        cache = teacher_cache.open(cache_path("q8"))
        epochs = teacher_cache.EpochViews(cache, support.digits(), taps=support.TAPS)
        renderer = teacher_cache.ViewRenderer(support.digits(), 0)
        for epoch in range(3):
            view = f"weak:{epoch % 2}"
            batch = epochs.batch([2, 0], epoch)
            ids = [IMAGES[2], IMAGES[0]]
            self.assertTrue(np.array_equal(batch.pixels, renderer.render_batch(ids, view)))
            self.assertEqual(batch.labels.tolist(), [cache.label(image) for image in ids])
            self.assertTrue(same_bits(batch.logits, cache.logits_batch(ids, view)))
            for tap in support.TAPS:
                expected = cache.features_batch(ids, view, tap)
                self.assertTrue(same_bits(batch.features[tap], expected))

    def test_all_pairs_of_rounds_come_up(self):
        weak, strong = (
            teacher_cache.EpochViews(cache_path("coarse"), support.digits(), kind)
            for kind in ("weak", "strong")
        )
        pairs = set()
        for epoch in range(2 * 34):
            self.assertEqual(weak.view(epoch).round, epoch % 2)
            shift = epoch // math.lcm(2, 34)
            self.assertEqual(strong.view(epoch).round, (epoch + shift) % 34)
            pairs.add((weak.view(epoch), strong.view(epoch)))
        self.assertEqual(len(pairs), 2 * 34)

    def test_all_weak_views_never_come_round_again(self):
        epochs = teacher_cache.EpochViews(cache_path("all"), support.digits())
        self.assertEqual(str(epochs.view(1234)), "weak:1234")
        self.assertEqual(epochs.batch(range(len(IMAGES)), 1234).logits.shape, (len(IMAGES), 10))

    def test_a_changed_pixel_is_found(self):
        changed = changed_digits()
        with self.assertRaises(teacher_cache.Mismatch):
            teacher_cache.EpochViews(cache_path("q8"), changed)
        # Changed after the images were compared: the replay proof itself.
        epochs = teacher_cache.EpochViews(cache_path("q8"), support.digits(), "plain")
        epochs.renderer.images = changed
        epochs.batch([0, 2], 0)
        with self.assertRaisesRegex(teacher_cache.ReplayMismatch, f"image {IMAGES[1]}, view plain"):
            epochs.batch([0, 1, 2], 0)

    def test_views_that_are_not_there_are_named(self):
        with self.assertRaisesRegex(teacher_cache.Missing, "strong"):
            teacher_cache.EpochViews(cache_path("all"), support.digits(), "strong")
        with self.assertRaisesRegex(teacher_cache.Missing, "stage1"):
            teacher_cache.EpochViews(cache_path("q8"), support.digits(), "strong", taps=["stage1"])
        with self.assertRaisesRegex(ValueError, "crop"):
            teacher_cache.EpochViews(cache_path("q8"), support.digits(), "crop")
        strange = next(image for image in range(100) if image not in IMAGES)
        with self.assertRaisesRegex(teacher_cache.Missing, f"hold image {strange};"):
            teacher_cache.EpochViews(cache_path("q8"), support.digits(), images=[0, strange])

    def test_what_is_no_image_and_no_epoch_is_refused(self):
        mask = np.zeros(support.digits().labels.size, bool)
        mask[IMAGES] = True
        for wrong in (mask, [0.5, 2.0]):
            with self.assertRaisesRegex(TypeError, "integers"):
                teacher_cache.EpochViews(cache_path("q8"), support.digits(), images=wrong)
            with self.assertRaisesRegex(TypeError, "integers"):
                teacher_cache.open(cache_path("q8")).logits_batch(wrong, "plain")
        with self.assertRaisesRegex(ValueError, "image -1: .* 0…"):
            teacher_cache.EpochViews(cache_path("q8"), support.digits(), images=[5, -1])
        epochs = teacher_cache.EpochViews(cache_path("q8"), support.digits())
        with self.assertRaisesRegex(ValueError, "epoch -1"):
            epochs.view(-1)
        with self.assertRaises(TypeError):
            epochs.view(1.5)


@support.needs_programs
@support.needs_torch
class Teachers(unittest.TestCase):
    teacher = teacher_cache.Teacher("any", "0" * 64, (0.5,) * 3, (0.25,) * 3)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)

    def test_a_network_in_pytorch_fills_the_cache_that_swift_would(self):
        models = support.load_reference("torch_models")
        state, metadata = teacher_cache.weights.read_safetensors(support.teacher_file())
        model = models.make("resnet8", 10)
        model.load_state_dict({name: torch.tensor(value) for name, value in state.items()}, False)
        mean, std = (
            [float(number) for number in metadata[name].split(",")] for name in ("mean", "std")
        )
        teacher = teacher_cache.Teacher.of_state_dict("resnet8", model.state_dict(), mean, std)
        path = pathlib.Path(tempfile.mkdtemp(dir=support.scratch())) / "cache"
        with teacher_cache.Writer(
            path, "mnist", support.digits(), teacher, views="weak:2,strong:2", images=IMAGES,
            taps={"stage3": (7, 7, 64)}, logits="fp32", feature_precision="fp32",
        ) as writer:  # fmt: skip
            function = teacher_cache.torch_teacher(model, teacher, taps={"stage3": "layer3"})
            self.assertEqual(writer.fill(function), len(IMAGES) * 4)
        output, _ = support.run(
            "teacher-dump", "verify", path, "--data", support.DIGITS, "--teacher",
            support.teacher_file(), "--all", "--json",
        )  # fmt: skip
        proof = json.loads(output)
        self.assertTrue(proof["ok"])
        self.assertLess(proof["max_logit_difference"], 1e-4)
        dumped = teacher_cache.open(cache_path("fp32"))
        found = teacher_cache.open(path).features_batch(IMAGES, "weak:0", "stage3")
        expected = dumped.features_batch(IMAGES, "weak:0", "stage3")
        self.assertLess(np.abs(found - expected).max(), 1e-4)

    def test_a_model_that_is_trained_meanwhile_answers_as_in_evaluation(self):
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(inplace=True),
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        )  # fmt: skip
        function = teacher_cache.torch_teacher(model, self.teacher, taps={"bn": "1"})
        logits, features = function(self.pixels)
        model.train()
        model[0].eval()  # a part that somebody froze stays so
        before = model[1].running_mean.clone()
        again, _ = function(self.pixels)
        np.testing.assert_array_equal(again, logits)
        self.assertTrue(torch.equal(model[1].running_mean, before))
        self.assertTrue(model[1].training and not model[0].training)
        # The tap lies before the ReLU, which works in place.
        self.assertEqual(features["bn"].shape, (6, 6, 6, 4))
        self.assertLess(features["bn"].min(), 0)
        self.assertFalse(model[1]._forward_hooks)  # nothing stays in the model

    def test_what_networks_give(self):
        class Pooled(torch.nn.Module):
            def forward(self, x):
                return {"logits": x.mean((2, 3))}

        logits, _ = teacher_cache.torch_teacher(Pooled(), self.teacher)(self.pixels)
        expected = (self.pixels / 255 - 0.5) / 0.25
        self.assertTrue(np.allclose(logits, expected.mean((1, 2)), atol=1e-5))
        narrow = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        )
        wide, _ = teacher_cache.torch_teacher(narrow, self.teacher)(self.pixels)
        half, _ = teacher_cache.torch_teacher(narrow.bfloat16(), self.teacher)(self.pixels)
        self.assertEqual(half.dtype, np.float32)
        self.assertLess(np.abs(half - wide).max(), 0.05)
        with self.assertRaisesRegex(teacher_cache.CacheError, r"tap flat gave \(6, 4\)"):
            teacher_cache.torch_teacher(narrow, self.teacher, taps={"flat": "2"})(self.pixels)


if __name__ == "__main__":
    unittest.main()
