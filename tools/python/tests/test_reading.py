"""Caches that teacher-dump made, read here: every record equals what `teacher-dump read` prints."""

import concurrent.futures
import json
import multiprocessing
import os
import pickle
import unittest

import support
from support import IMAGES, cache_path, same_bits

import numpy as np
import teacher_cache


def printed(path, image, view, *more):
    """A record as Swift decodes it."""
    output, _ = support.run(
        "teacher-dump", "read", path, "--image", image, "--view", view, "--json", *more
    )
    return json.loads(output)


def sum_in_worker(cache):
    """What a DataLoader's worker does: read from an inherited or a received object."""
    return float(cache.logits_batch(IMAGES, "weak:1").sum())


@support.needs_programs
class Records(unittest.TestCase):
    def test_every_view_of_every_codec(self):
        for name in [*support.CACHES, "all"]:
            cache = teacher_cache.open(cache_path(name))
            views = [view for view in cache.views.views(25)]
            self.assertGreaterEqual(len(views), 5)
            for view in views:
                rows = cache.read_batch(IMAGES, view)
                confidences = rows.confidences
                for i, image in enumerate(IMAGES):
                    record = printed(cache_path(name), image, view)
                    with self.subTest(f"{name}, image {image}, {view}"):
                        self.assertTrue(same_bits(rows.logits[i], record["logits"]))
                        self.assertTrue(same_bits(confidences[i], record["confidence"]))
                        self.assertEqual(f"{int(rows.pixel_hashes[i]):016x}", record["pixel_hash"])
                        self.assertEqual(int(rows.labels[i]), record["label"])

    def test_every_feature_of_every_precision(self):
        for name in support.CACHES:
            cache = teacher_cache.open(cache_path(name))
            self.assertEqual(sorted(cache.taps), sorted(support.TAPS))
            for tap in support.TAPS:
                for view in cache.view_set(tap=tap).views(25):
                    values = cache.features_batch(IMAGES, view, tap)
                    for i, image in enumerate(IMAGES):
                        record = printed(cache_path(name), image, view, "--tap", tap)
                        with self.subTest(f"{name}, image {image}, {view}, {tap}"):
                            self.assertEqual(list(values[i].shape), record["features"][tap])
                            self.assertTrue(same_bits(values[i].reshape(-1), record["values"]))

    def test_one_by_one_and_together_are_the_same(self):
        cache = teacher_cache.open(cache_path("coarse"))
        # More than are decoded at once.
        views = cache.views.views(25) * 8
        images = np.repeat(IMAGES, len(views))
        rows = cache.read_batch(images, views * len(IMAGES))
        order = np.random.default_rng(1).permutation(IMAGES * 40)
        maps = cache.features_batch(order, "weak:1", "stage3")
        for image, values in zip(order[-9:].tolist(), maps[-9:]):
            self.assertTrue(same_bits(values, cache.features(image, "weak:1", "stage3")))
        for i in np.random.default_rng(0).permutation(images.size)[:40]:
            image, view = int(images[i]), views[i % len(views)]
            self.assertTrue(same_bits(cache.logits(image, view), rows.logits[i]))
            self.assertEqual(cache.pixel_hash(image, view), int(rows.pixel_hashes[i]))
            self.assertEqual(cache.confidence(image, view), float(rows.confidences[i]))
            self.assertEqual(cache.label(image), int(rows.labels[i]))
        self.assertEqual(cache.logits_batch([], "plain").shape, (0, 10))
        some = IMAGES[2::-2]
        self.assertEqual(cache.labels(some).tolist(), [cache.label(image) for image in some])
        self.assertEqual(cache.labels().tolist(), [cache.label(i) for i in cache.images.tolist()])
        with self.assertRaisesRegex(teacher_cache.Missing, "image 4999"):
            cache.labels([0, 4999])

    def test_info_is_what_teacher_dump_says(self):
        for name in [*support.CACHES, "all"]:
            output, _ = support.run("teacher-dump", "info", cache_path(name), "--json")
            expected = json.loads(output)
            found = teacher_cache.open(cache_path(name)).info
            for key, value in found.items():
                self.assertEqual(value, expected[key], f"{name}: {key}")
            self.assertEqual(set(expected) - set(found), {"teacher_top1"})

    def test_a_relative_path_is_that_of_the_beginning(self):
        here = os.getcwd()
        os.chdir(os.path.dirname(cache_path("q8")))
        try:
            with teacher_cache.open(os.path.basename(cache_path("q8"))) as cache:
                os.chdir("/")
                self.assertEqual(cache.logits(0, "plain").shape, (10,))
            self.assertEqual(cache.logits(0, "plain").shape, (10,))  # opened again
        finally:
            os.chdir(here)

    def test_weak_rounds_are_read_as_the_crops_that_they_draw(self):
        every, some = (teacher_cache.open(cache_path(name)) for name in ("all", "q8"))
        self.assertEqual(str(every.views), "weak:all")
        for round in range(2):
            found = every.read_batch(IMAGES, f"weak:{round}")
            expected = some.read_batch(IMAGES, f"weak:{round}")
            self.assertTrue(np.array_equal(found.pixel_hashes, expected.pixel_hashes))
            self.assertTrue(same_bits(found.logits, expected.logits))
        self.assertEqual(every.logits(0, "weak:12345").shape, (10,))
        self.assertFalse(every.holds(0, "weak:0"))

    def test_the_pixels_replay(self):
        cache = teacher_cache.open(cache_path("coarse"))
        renderer = teacher_cache.ViewRenderer(support.digits(), cache.identity.viewSeed)
        for view in cache.views.views(25):
            found = teacher_cache.pixel_hashes(renderer.render_batch(IMAGES, view))
            expected = cache.read_batch(IMAGES, view).pixel_hashes
            self.assertTrue(np.array_equal(found, expected), view)

    def test_what_is_not_there_is_named(self):
        cache = teacher_cache.open(cache_path("q8"))
        for call in (
            lambda: cache.logits(1, "weak:0"),
            lambda: cache.logits(0, "weak:2"),
            lambda: cache.logits(1 << 23, "plain"),
            lambda: cache.features(0, "weak:0", "stage4"),
            lambda: cache.features(0, "strong:0", "stage1"),
            lambda: cache.label(1),
        ):
            with self.assertRaises(teacher_cache.Missing):
                call()
        with self.assertRaisesRegex(teacher_cache.Missing, "image 1, weak:0"):
            cache.logits(1, "weak:0")


@support.needs_programs
class Processes(unittest.TestCase):
    def test_workers_read_what_their_parent_has_open(self):
        cache = teacher_cache.open(cache_path("q8"))
        expected = sum_in_worker(cache)
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                self.assertEqual(pool.map(sum_in_worker, [cache] * 4), [expected] * 4)
        self.assertEqual(sum_in_worker(cache), expected)

    def test_a_fork_reads_and_leaves_the_parents_map_alone(self):
        caches = [teacher_cache.open(cache_path("q8")) for _ in range(2)]
        expected = [sum_in_worker(cache) for cache in caches]
        inherited = caches[0]._units[0]
        self.assertIs(inherited, caches[1]._units[0])
        child = os.fork()
        if child == 0:
            status = 1
            try:
                same = [sum_in_worker(cache) for cache in caches] == expected
                own = all(cache._units[0] is not inherited for cache in caches)
                status = int(not (same and own))
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual([sum_in_worker(cache) for cache in caches], expected)

    def test_threads_share_a_cache_and_leave_nothing_behind(self):
        path = support.copied("q8")
        expected = sum_in_worker(teacher_cache.open(cache_path("q8")))
        for _ in range(5):
            cache = teacher_cache.open(path)
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                found = list(threads.map(sum_in_worker, [cache] * 16))
            self.assertEqual(found, [expected] * 16)
        self.assertEqual([file.name for file in path.glob("units/*/*")], ["data.mdb"])

    def test_an_object_can_be_sent(self):
        cache = teacher_cache.open(cache_path("q8"))
        expected = sum_in_worker(cache)
        again = pickle.loads(pickle.dumps(cache))
        self.assertEqual(sum_in_worker(again), expected)


@support.needs_programs
class Damage(unittest.TestCase):
    def damaged(self, change):
        """A cache whose one unit's bytes were changed."""
        path = support.copied("q8")
        data = next(path.glob("units/*/data.mdb"))
        content = bytearray(data.read_bytes())
        data.write_bytes(change(content) or content)
        return path

    def test_files_of_another_size_are_not_mapped(self):
        for size in (-4096, -1, 1):
            path = self.damaged(lambda data: data[:size] if size < 0 else data + bytes(size))
            with self.assertRaises(teacher_cache.Truncated):
                teacher_cache.open(path).logits(0, "plain")

    def test_a_changed_record_names_its_image_and_view(self):
        def flip(data):
            place = bytes(data).find((7 << 32 | 1 << 24).to_bytes(8, "big") + b"\x01\x02")
            data[place + 30] ^= 4

        cache = teacher_cache.open(self.damaged(flip))
        self.assertEqual(cache.logits(0, "weak:0").shape, (10,))
        with self.assertRaisesRegex(teacher_cache.Corrupt, "image 7, weak:0: .*checksum"):
            cache.logits_batch(IMAGES, "weak:0")

    def test_what_is_no_cache_is_refused(self):
        path = support.copied("q8")
        manifest = path / "manifest.json"
        content = json.loads(manifest.read_text())
        manifest.write_text(manifest.read_text().replace('"kernelLevel" : "', '"kernelLevel" : "x'))
        with self.assertRaisesRegex(teacher_cache.Corrupt, "checksum"):
            teacher_cache.open(path)
        del content["checksum"]

        def opening(error, **changes):
            manifest.write_text(json.dumps({**content, **changes}))
            with self.assertRaises(error, msg=str(changes)[:80]):
                teacher_cache.open(path)

        unit = content["units"][0]
        opening(teacher_cache.NotACache, format="other")
        opening(teacher_cache.WrongVersion, version=2)
        opening(teacher_cache.WrongVersion, lmdbFormat="1.0")
        opening(teacher_cache.Corrupt, fingerprint="0" * 64)
        opening(teacher_cache.Corrupt, units=[unit, unit])
        opening(teacher_cache.Corrupt, units=[{**unit, "path": "units/../../etc"}])
        opening(teacher_cache.Corrupt, units=[{**unit, "records": unit["records"] + 1}])
        opening(teacher_cache.Corrupt, units=3)
        manifest.write_text("{")
        with self.assertRaises(teacher_cache.Corrupt):
            teacher_cache.open(path)
        with self.assertRaises(teacher_cache.NotACache):
            teacher_cache.open(path / "units")
        with self.assertRaises(teacher_cache.NotACache):
            teacher_cache.open(manifest)
        manifest.write_text(json.dumps(content))
        os.rename(path / unit["path"], path / "units/elsewhere")
        with self.assertRaises(teacher_cache.Missing):
            teacher_cache.open(path)


if __name__ == "__main__":
    unittest.main()
