"""Units that the manifest lists and that are not there."""

import hashlib
import json
import os
import shutil
import unittest
from unittest import mock

import support
from support import IMAGES, cache_path

import teacher_cache


@support.needs_programs
class LostUnits(support.WritingCase):
    def test_a_lost_unit_is_made_again_or_kept_on_the_list(self):
        self.write("q8")
        expected = self.content_hash(self.path)
        manifest = self.path / "manifest.json"
        lost = json.loads(manifest.read_text())["units"][0]["path"]
        # The folder, then the file in it alone.
        for path in (self.path / lost, self.path / lost / "data.mdb"):
            content = manifest.read_text()
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            with self.assertRaisesRegex(teacher_cache.LostUnit, lost):
                teacher_cache.open(self.path)
            for changes in (dict(views="plain,weak:2"), dict(images=IMAGES[1:])):
                with self.assertRaisesRegex(teacher_cache.LostUnit, lost):
                    self.write("q8", **changes)
            with support.writer(self.path, "q8") as writer:
                unit = writer.begin(writer.missing()[0])
                unit.close()  # as a kill leaves it
            self.assertEqual(manifest.read_text(), content)
            self.write("q8")
            self.assertEqual(self.content_hash(self.path), expected)

    def test_what_stands_under_a_lost_units_name_is_what_the_list_says(self):
        """After a kill before the rename, or between it and the list."""
        manifest = self.path / "manifest.json"
        for place, calls in (("writer.move", 1), ("writer.Writer._write_list", 2)):
            self.write("q8", kernel_level=place)
            unit = json.loads(manifest.read_text())["units"][0]
            shutil.rmtree(self.path / unit["path"])
            original = mock.patch(f"teacher_cache.{place}").get_original()[0]
            killed = mock.Mock(
                side_effect=lambda *values: original(*values)
                if killed.call_count < calls else self.fail("killed")
            )  # fmt: skip
            with mock.patch(f"teacher_cache.{place}", lambda *values: killed(*values)):
                with self.assertRaisesRegex(AssertionError, "killed"):
                    self.write("q8", kernel_level="other")
            listed = json.loads(manifest.read_text())["units"]
            self.assertEqual([entry["path"] for entry in listed], [unit["path"]])
            self.assertNotEqual(listed[0]["sha256"], unit["sha256"])
            data = self.path / unit["path"] / "data.mdb"
            if data.exists():
                self.assertEqual(hashlib.sha256(data.read_bytes()).hexdigest(), listed[0]["sha256"])
            self.write("q8", kernel_level="other")
            self.assertTrue(self.verified()["ok"])
            self.assertEqual(self.content_hash(self.path), self.content_hash(cache_path("q8")))
            shutil.rmtree(self.path)

    def test_what_a_lost_unit_held_is_not_asked_for_in_another_shape(self):
        self.write("q8")
        manifest = json.loads((self.path / "manifest.json").read_text())
        shutil.rmtree(self.path / manifest["units"][0]["path"])
        with self.assertRaisesRegex(teacher_cache.Mismatch, "stage1"):
            self.write("q8", taps={**self.answers.taps, "stage1": (1, 1, 16)})

    def test_a_lost_unit_whose_records_are_elsewhere_leaves_the_list(self):
        self.write("q8")
        expected = (self.path / "manifest.json").read_text()
        other = self.path.with_name("other")
        with support.writer(other, "q8", views="plain", feature_views="plain", taps=None) as writer:
            writer.fill(self.answers)
        listed = teacher_cache.manifest.Manifest.read(str(self.path))
        listed.units += teacher_cache.manifest.Manifest.read(str(other)).units
        listed.write(str(self.path))
        self.assertEqual(self.write("q8"), 0)
        self.assertEqual((self.path / "manifest.json").read_text(), expected)

    @unittest.skipUnless(os.geteuid() == 0, "needs the right to be another user")
    def test_a_unit_that_nobody_may_look_at_is_not_lost(self):
        self.write("q8")
        manifest = teacher_cache.manifest.Manifest.read(str(self.path))
        self.path.parent.chmod(0o700)
        child = os.fork()
        if child == 0:
            try:
                os.setuid(65534)
                manifest.without_lost(str(self.path))
            except PermissionError:
                os._exit(0)
            finally:
                os._exit(1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)


if __name__ == "__main__":
    unittest.main()
