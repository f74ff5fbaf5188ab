"""Views in NumPy, against the fixtures that Pillow's results are written into."""

import os
import unittest

import support

import numpy as np
import teacher_cache
from teacher_cache import DATASETS, ImageSet, View, ViewRenderer, ViewSet, normalize, pixel_hashes
from teacher_cache.operations import apply


def pattern(image, side):
    """The pictures of the fixtures; see tools/reference/views.py."""
    y, x = np.mgrid[0:side, 0:side]
    if image == 3:
        return np.full((side, side, 3), 77, np.uint8)
    if image == 4:
        two = ((x // 5 + y // 3) % 2)[..., None] == 0
        return np.where(two, [10, 200, 90], [60, 201, 255]).astype(np.uint8)
    red = (7 * x + 3 * y + 31 * image) & 255
    green = (x * y // 3 + 40 + 17 * image) & 255
    blue = (x * x + 5 * y + 90 + image) % 211
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def patterns(name):
    side = DATASETS[name].side
    pixels = np.stack([pattern(image, side) for image in range(5)])
    return ImageSet(DATASETS[name], pixels, np.zeros(5, np.int64))


class Pixels(unittest.TestCase):
    def test_views_have_the_hashes_that_swift_proves(self):
        sets = {name: patterns(name) for name in ("cifar100", "mnist")}
        rows = support.fixture("DatasetsTests/Fixtures/views.json")
        for row in rows:
            renderer = ViewRenderer(sets[row["dataset"]], int(row["seed"]))
            pixels = renderer.render(row["image"], row["view"])
            found = f"{int(pixel_hashes(pixels[None])[0]):016x}"
            self.assertEqual(found, row["hash"], row)
        self.assertEqual(len(rows), 256)

    def test_operations_have_pillows_pixels(self):
        for row in support.fixture("DatasetsTests/Fixtures/operations.json"):
            for image, expected in enumerate(row["hashes"]):
                pixels = apply(row["operation"], row["magnitude"], pattern(image, 32))
                found = f"{int(pixel_hashes(pixels[None])[0]):016x}"
                self.assertEqual(found, expected, (row["operation"], row["magnitude"], image))

    def test_a_weak_round_is_the_crop_that_it_resolves_to(self):
        renderer = ViewRenderer(patterns("cifar100"), 7)
        for image in range(5):
            for round in range(20):
                view = renderer.resolve(image, f"weak:{round}")
                weak, crop = renderer.render(image, f"weak:{round}"), renderer.render(image, view)
                self.assertTrue(np.array_equal(weak, crop))
        self.assertEqual(renderer.resolve(0, "strong:1"), View.parse("strong:1"))

    def test_normalisation(self):
        pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
        found = normalize(pixels, (0.5, 0.25, 0.1), (0.5, 0.25, 0.2))
        expected = [(v / 255 - m) / s for v in (0, 255) for m, s in ((0.5, 0.5), (0.1, 0.2))]
        corners = [found[0, 0, 0, 0], found[0, 0, 0, 2], found[0, -1, -1, 0], found[0, -1, -1, 2]]
        self.assertTrue(np.allclose(corners, expected, rtol=1e-6))
        self.assertEqual(found.dtype, np.float32)

    def test_views_and_images_that_do_not_exist_are_refused(self):
        renderer = ViewRenderer(patterns("mnist"), 0)
        for image, view in ((0, "crop:25"), (5, "plain"), (-1, "plain")):
            with self.assertRaises(ValueError):
                renderer.render(image, view)


class Names(unittest.TestCase):
    def test_views_are_read_as_they_are_written(self):
        for text in ("plain", "weak:0", "strong:999999", "crop:161"):
            self.assertEqual(str(View.parse(text)), text)
        for text in ("weak", "weak:", "weak:-1", "weak:1000000", "Weak:1", "plain:0", "weak:1 "):
            with self.assertRaises(ValueError, msg=text):
                View.parse(text)

    def test_sets_of_views(self):
        found = ViewSet.parse("weak:16, strong:2,plain,weak:all")
        self.assertEqual(str(found), "plain,weak:16,strong:2,weak:all")
        self.assertEqual(len(found.views(162)), 1 + 16 + 2 + 162)
        for text in ("", "weak:0", "weak:1,weak:2", "strong:all", "crop:3"):
            with self.assertRaises(ValueError, msg=text):
                ViewSet.parse(text)


class Images(unittest.TestCase):
    def test_the_embedded_digits(self):
        images = teacher_cache.load_train("mnist", support.DIGITS)
        self.assertEqual(images.pixels.shape, (4000, 28, 28, 3))
        self.assertEqual(images.labels.shape, (4000,))

    @unittest.skipUnless("CIFAR_ROOT" in os.environ, "needs CIFAR-100 under CIFAR_ROOT")
    def test_cifar_has_the_hash_that_swift_writes_into_manifests(self):
        images = teacher_cache.load_train("cifar100", os.environ["CIFAR_ROOT"])
        self.assertEqual(images.pixels.shape, (50_000, 32, 32, 3))
        expected = "f8e458dd8413605e505c6138eb2ed9ed2de756f1464b085ab760c4b1352b2a22"
        self.assertEqual(images.content_hash, expected)

    def test_missing_and_wrong_files_are_named(self):
        with self.assertRaises(teacher_cache.DatasetError):
            teacher_cache.load_train("mnist", support.PROJECT)
        with self.assertRaises(teacher_cache.DatasetError):
            teacher_cache.load_train("imagenet", support.DIGITS)


if __name__ == "__main__":
    unittest.main()
