"""Caches that are written here, read and trained from by the Swift programs."""

import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest
from unittest import mock

import support
from support import IMAGES, cache_path

import lmdb
import numpy as np
import teacher_cache
from teacher_cache import Teacher, weight_hash
from teacher_cache.account import UnitAccount
from teacher_cache.unit_writer import write_error


@support.needs_programs
class Writing(support.WritingCase):
    def test_the_teacher_is_the_same_as_for_swift(self):
        identity = teacher_cache.open(cache_path("fp32")).identity
        teacher = Teacher.of_file(support.teacher_file())
        self.assertEqual(teacher.weights, identity.teacherWeights)
        self.assertEqual(teacher.architecture, identity.teacherArchitecture)

    def test_the_same_answers_make_the_same_cache(self):
        for name in ("fp32", "fp16", "q8"):
            with self.subTest(name):
                self.path = self.path.with_name(name)
                self.write(name)
                made, dumped = (teacher_cache.open(p) for p in (self.path, cache_path(name)))
                self.assertEqual(made.identity.fingerprint, dumped.identity.fingerprint)
                self.assertEqual(self.content_hash(self.path), self.content_hash(cache_path(name)))
                paths = [[unit.path for unit in c.manifest.units] for c in (made, dumped)]
                self.assertEqual(*paths)
                errors = [c.info["largest_logit_error"] for c in (made, dumped)]
                self.assertEqual(*errors)
                # Every view, and every view that has features for each tap.
                proof = self.verified("--teacher", support.teacher_file())
                views, maps = len(IMAGES) * 5, len(IMAGES) * 2 * len(support.TAPS)
                self.assertEqual(proof["records_checked"], views + maps)
                self.assertEqual(proof["views_replayed"], views)
                self.assertTrue(proof["ok"])
        self.assertEqual(self.answers.seen, 3 * views)

    def test_units_are_cut_as_swift_cuts_them(self):
        # So many features that a unit has room for 256 images only.
        support.dump(
            self.path, "weak:all", "--features", ",".join(support.TAPS), "--feature-views",
            "weak:all",
        )  # fmt: skip
        paths = [unit.path for unit in teacher_cache.open(self.path).manifest.units]
        self.assertEqual(len(paths), 2)
        self.path = self.path.with_name("planned")
        every = {"views": "weak:all", "feature_views": "weak:all", "feature_precision": "fp16"}
        with support.writer(self.path, "q8", **every) as writer:
            names = [unit.name(writer.identity) for unit in writer.missing()]
        self.assertEqual([f"units/{name}" for name in names], paths)

    def test_more_rounds_than_a_record_holds(self):
        def teacher(pixels):
            seeds = teacher_cache.pixel_hashes(pixels)
            rows = [np.random.default_rng(seed).normal(size=10) * 9 for seed in seeds]
            return np.array(rows, np.float32)

        for codec in ("fp32", "coarse"):
            self.path = self.path.with_name(codec)
            with support.writer(self.path, codec, views="weak:33,strong:70", taps={}) as writer:
                writer.fill(teacher)
            self.assertEqual(self.verified()["views_replayed"], len(IMAGES) * 103)
            cache = teacher_cache.open(self.path)
            renderer = teacher_cache.ViewRenderer(support.digits(), 0)
            for view in ("weak:32", "strong:31", "strong:32", "strong:69"):
                expected = teacher(renderer.render_batch(IMAGES, view))
                difference = np.abs(cache.logits_batch(IMAGES, view) - expected).max()
                self.assertLessEqual(difference, cache.info["largest_logit_error"])

    def measured_units(self):
        units = json.loads((pathlib.Path(self.path) / "manifest.json").read_text())["units"]
        return {unit["path"]: unit["codingError"] for unit in units if unit.get("codingError")}

    def test_swift_goes_on_where_python_stopped_and_python_where_swift_did(self):
        self.write("q8", views="plain,weak:1", feature_views="weak:1")
        more = ["--features", ",".join(support.TAPS), "--feature-views", "weak:2",
                "--feature-precision", "q8"]  # fmt: skip
        support.dump(self.path, "plain,weak:2", *more)
        measured = self.measured_units()
        self.assertTrue(measured)
        self.write("q8")
        self.assertEqual(self.measured_units(), measured)  # what only Swift measures is kept
        self.assertEqual(self.content_hash(self.path), self.content_hash(cache_path("q8")))
        output, _ = support.dump(self.path, support.CACHES["q8"][2], *more)
        self.assertIn("holds all of this already", output)
        self.assertEqual(self.write("q8"), 0)
        self.assertTrue(self.verified()["ok"])

    def test_students_train_from_it(self):
        self.write("q8")
        for method in ("kd", "sskd", "crld"):
            output, _ = support.run(
                "student-train", "--cache", self.path, "--data", support.DIGITS, "--method",
                method, "--student", "resnet8", "--epochs", 1, "--batch-size", 1,
                "--output", self.path.with_name(method),
            )  # fmt: skip
            self.assertEqual(json.loads(output)["method"], method)

    def test_an_interrupted_unit_goes_on_after_its_last_commit(self):
        class Interrupted(Exception):
            pass

        def stop(done, total):
            if done >= total // 2:
                raise Interrupted

        with support.writer(self.path, "q8") as writer:
            work = writer.missing()[0]
            unit = writer.begin(work)
            unit._last_commit -= 1e6
            writer._store(self.answers, unit, np.array(IMAGES[:2]), 7)
            unit.close()
            with self.assertRaises(Interrupted):
                writer.fill(self.answers, batch_size=1, progress=stop)
        self.assertEqual(teacher_cache.open(self.path).images.size, 0)
        before = self.answers.seen
        with support.writer(self.path, "q8") as writer:
            self.assertEqual(writer.begin(work).remaining_images, tuple(IMAGES[2:]))
        self.write("q8")
        self.assertEqual(self.answers.seen - before, 2 * 5)
        self.assertEqual(self.content_hash(self.path), self.content_hash(cache_path("q8")))

    def test_a_kill_before_the_manifest_or_of_the_first_commit_is_made_good(self):
        self.write("q8")
        expected = self.content_hash(self.path)
        manifest = self.path / "manifest.json"
        content = json.loads(manifest.read_text())
        unit = content["units"].pop()
        del content["checksum"]
        manifest.write_text(json.dumps(content))
        with support.writer(self.path, "q8") as writer:
            self.assertEqual(writer.begin(writer.missing()[0]).remaining_images, ())
        self.write("q8")
        self.assertEqual(self.content_hash(self.path), expected)
        other = self.path.with_name("first")
        support.writer(other, "q8").close()
        broken = other / "units" / (".tmp-" + pathlib.Path(unit["path"]).name)
        broken.mkdir(parents=True)
        (broken / "data.mdb").write_bytes(bytes(8192))
        (other / "units/.tmp-00000000-0123456789abcdef").mkdir()
        self.path = other
        self.write("q8")
        self.assertEqual(self.content_hash(self.path), expected)
        self.assertEqual(len(list((other / "units").iterdir())), 1)

    def begun(self, **changes):
        """A unit of which two images are committed, and its file."""
        with support.writer(self.path, "q8", **changes) as writer:
            work = writer.missing()[0]
            unit = writer.begin(work)
            writer._store(self.answers, unit, np.array(IMAGES[:2]), 7)
            unit.commit()
            unit.close()
        return work, pathlib.Path(unit.directory) / "data.mdb"

    def account(self, file):
        with lmdb.open(str(file.parent), max_dbs=64, readonly=True, lock=False) as environment:
            with environment.begin() as transaction:
                table = environment.open_db(b"account", txn=transaction, create=False)
                return UnitAccount.parse(transaction.get(b"state", db=table))

    def test_what_a_unit_knows_of_itself_is_the_same_in_both_languages(self):
        self.write("q8")
        for path in (self.path, cache_path("q8")):
            for unit in teacher_cache.open(path).info["units"]:
                account = self.account(pathlib.Path(path) / unit["path"] / "data.mdb")
                self.assertEqual(account.kernel_level, unit["kernel_level"])
                self.assertEqual(account.done, len(IMAGES))
        self.assertFalse(any(account.coding) and path == self.path)
        manifest = json.loads((cache_path("q8") / "manifest.json").read_text())
        self.assertEqual(account.content.hex, manifest["units"][-1]["content"])
        self.assertEqual(account.logit_error, manifest["units"][-1]["logitError"])
        self.assertTrue(any(account.coding))  # measured by Swift

    def test_a_unit_with_a_flipped_bit_in_its_account_is_done_again(self):
        work, file = self.begun(kernel_level="here")
        sound = file.read_bytes()
        state = self.account(file).bytes
        self.assertIn(state, sound)
        for byte in range(0, len(state), 3):
            damaged = bytes(state[:byte]) + bytes([state[byte] ^ 4]) + state[byte + 1 :]
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(sound.replace(state, damaged))
            with support.writer(self.path, "q8") as writer:
                unit = writer.begin(work)
                self.assertEqual(unit.remaining_images, work.images)
                unit.close()

    def test_a_unit_that_another_level_went_on_with_names_both(self):
        self.begun(kernel_level="one")
        self.write("q8", kernel_level="two")
        self.assertEqual(teacher_cache.open(self.path).info["kernel_levels"], ["one", "two"])
        output, _ = support.run("teacher-dump", "info", self.path, "--json")
        self.assertEqual(json.loads(output)["kernel_levels"], ["one", "two"])

    def test_links_inside_a_cache_are_not_followed_but_one_to_it_is(self):
        elsewhere = self.path.with_name("elsewhere")
        elsewhere.mkdir()
        (elsewhere / "data.mdb").write_bytes(b"precious")
        work, file = self.begun()
        shutil.rmtree(file.parent)
        file.parent.symlink_to(elsewhere)
        link = self.path.with_name("link")
        link.symlink_to(self.path)
        with support.writer(link, "q8") as writer:
            writer.fill(self.answers)
        self.assertEqual((elsewhere / "data.mdb").read_bytes(), b"precious")
        self.assertEqual(len(list(elsewhere.iterdir())), 1)
        self.assertEqual(self.content_hash(self.path), self.content_hash(cache_path("q8")))
        (self.path / "units").rename(elsewhere / "units")
        (self.path / "units").symlink_to(elsewhere / "units")
        with self.assertRaisesRegex(teacher_cache.CacheError, "link"):
            support.writer(self.path, "q8")

    def test_another_teachers_units_are_not_taken_over(self):
        self.write("q8")
        other = Teacher("resnet8", "b" * 64, (0.5,) * 3, (0.25,) * 3)
        empty = self.path.with_name("other")
        support.writer(empty, "q8", teacher=other).close()
        (empty / "manifest.json").replace(self.path / "manifest.json")
        with support.writer(self.path, "q8", teacher=other) as writer:
            work = writer.missing()[0]
            self.assertEqual(writer.begin(work).remaining_images, work.images)

    def test_a_second_writer_is_refused_at_once_and_told_who_writes(self):
        with support.writer(self.path, "q8"):
            with self.assertRaisesRegex(teacher_cache.Locked, r"host .*, pid \d+, since "):
                support.writer(self.path, "q8")
            _, errors = support.dump(self.path, "weak:1", expect=75)
            self.assertRegex(errors, r"pid \d+")
        self.write("q8", views="weak:1", taps={})

    def test_another_identity_is_refused_naming_the_field(self):
        self.write("q8", views="plain", taps={})
        for field, changes in {
            "viewSeed": {"view_seed": 3},
            "logits": {"logits": "fp32"},
            "featurePrecision": {"feature_precision": "fp32"},
        }.items():
            with self.assertRaises(teacher_cache.Mismatch) as refused:
                support.writer(self.path, "q8", **changes)
            self.assertEqual(refused.exception.field, field)
        self.write("q8")
        with self.assertRaisesRegex(teacher_cache.Mismatch, "shape of tap stage1"):
            self.write("q8", taps={"stage1": (1, 1, 16)})

    def test_no_cache_is_made_in_the_folder_of_a_run(self):
        self.path.mkdir()
        (self.path / "config.yaml").write_text("method: kd\n")
        with self.assertRaisesRegex(teacher_cache.CacheError, r"holds a run \(config.yaml\)"):
            self.write("fp32")
        self.assertEqual(os.listdir(self.path), ["config.yaml"])

    def test_what_is_no_unit_of_this_cache_is_left_alone(self):
        mine = self.path / "units/mine/notes.txt"
        mine.parent.mkdir(parents=True)
        mine.write_text("precious")
        with self.assertRaisesRegex(teacher_cache.CacheError, "no manifest.json"):
            support.writer(self.path, "q8")
        self.path = self.path.with_name("sound")
        self.write("q8", views="plain,weak:2", feature_views="weak:2")
        mine = self.path / "units/.tmp-mine/notes.txt"
        mine.parent.mkdir()
        mine.write_text("precious")
        self.write("q8")
        self.assertEqual(mine.read_text(), "precious")
        # Without its manifest a cache is not begun anew over its own units.
        (self.path / "manifest.json").unlink()
        for begin in (self.write, lambda _: teacher_cache.open(self.path)):
            with self.assertRaisesRegex(teacher_cache.NoManifest, "put the manifest back"):
                begin("q8")
        self.assertEqual(len(list(self.path.glob("units/0*/data.mdb"))), 2)

    def test_what_training_runs_had_gathered_goes_with_its_unit_or_its_work(self):
        units = self.path / "units"
        with support.writer(self.path, "q8") as writer:
            name = writer.missing()[0].name(writer.identity)
        for journal in (f".seen-{name}", ".seen-00000000-0123456789abcdef", ".seen-mine"):
            (units / journal).mkdir()
            (units / journal / "logits").write_bytes(b"")
        with support.writer(self.path, "q8") as writer:
            writer.missing()
        self.assertEqual(sorted(os.listdir(units)), [f".seen-{name}", ".seen-mine"])
        self.write("q8")
        self.assertEqual(sorted(os.listdir(units)), [".seen-mine", name])

    def test_why_something_could_not_be_written(self):
        path = str(self.path / "not/there/yet")
        full = os.statvfs_result((4096, 4096, 9, 0, 0, 0, 0, 0, 0, 255))
        for code, expected in (
            (errno.EACCES, teacher_cache.NoPermission), (errno.EROFS, teacher_cache.NoPermission),
            (errno.ENOSPC, teacher_cache.DiskFull), (errno.EDQUOT, teacher_cache.DiskFull),
            (errno.ENAMETOOLONG, teacher_cache.CacheError),
        ):  # fmt: skip
            error = OSError(code, os.strerror(code))
            self.assertIs(type(write_error(path, error)), expected)
            # A medium that nobody writes to is as full as it will ever be.
            with mock.patch("os.statvfs", return_value=full):
                self.assertIs(type(write_error(path, error)), expected)
        error = lmdb.DiskError("mdb_txn_commit: Input/output error")
        self.assertIs(type(write_error(path, error)), teacher_cache.CacheError)
        with mock.patch("os.statvfs", return_value=full):
            self.assertIs(type(write_error(path, error)), teacher_cache.DiskFull)

    def test_features_of_views_without_logits_are_refused_as_teacher_dump_does(self):
        with self.assertRaisesRegex(ValueError, "weak:2, which is not among the views plain,weak:2"):
            support.writer(self.path, "q8", views="plain,weak:2", feature_views="weak:3")
        self.assertFalse(self.path.exists())

    def test_answers_that_cannot_be_stored_are_refused(self):
        wrong = {
            "shape": lambda pixels: np.zeros((len(pixels), 9), np.float32),
            "type": lambda pixels: np.zeros((len(pixels), 10), np.int64),
            "finite": lambda pixels: np.full((len(pixels), 10), np.nan, np.float32),
            "too large": lambda pixels: np.full((len(pixels), 10), 1e30, np.float32),
        }
        for reason, teacher in wrong.items():
            with support.writer(self.path, "q8", taps={}) as writer:
                with self.assertRaisesRegex(teacher_cache.CacheError, reason):
                    writer.fill(teacher)
        self.assertEqual(teacher_cache.open(self.path).images.size, 0)

    def test_the_lock_does_not_outlive_its_writer_in_a_forked_process(self):
        with support.writer(self.path, "q8"):
            child = os.fork()
            if child == 0:
                signal.pause()
        try:
            support.writer(self.path, "q8").close()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def test_a_killed_process_leaves_no_lock(self):
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); import support\n"
            "writer = support.writer(sys.argv[2], 'q8'); print('open', flush=True)\n"
            "sys.stdin.read()"
        )
        tests = pathlib.Path(__file__).parent
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tests), str(self.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.assertEqual(process.stdout.readline(), "open\n")
        with self.assertRaises(teacher_cache.Locked):
            support.writer(self.path, "q8")
        process.kill()
        process.communicate()
        self.write("q8", views="plain", taps={})


class Weights(unittest.TestCase):
    def test_the_hash_is_that_of_names_shapes_and_fp32_values(self):
        state = {"a": np.ones((2, 3), np.float32), "b": np.arange(3, dtype=np.float64)}
        counted = {**state, "n.num_batches_tracked": np.array(7)}
        wrapped = {f"module._orig_mod.{name}": value for name, value in reversed(state.items())}
        self.assertEqual(weight_hash(state), weight_hash(counted))
        self.assertEqual(weight_hash(state), weight_hash(wrapped))
        self.assertNotEqual(weight_hash(state), weight_hash({**state, "a": np.ones((3, 2))}))
        self.assertNotEqual(weight_hash(state), weight_hash({**state, "a": np.zeros((2, 3))}))
        with self.assertRaises(teacher_cache.CacheError):
            weight_hash({**state, **wrapped})


if __name__ == "__main__":
    unittest.main()
