"""The experiments of tools/reproduce and the tables that are made of their results."""
import os
import pathlib
import tempfile
import unittest
from unittest import mock

from reproduction_fixtures import experiment, families, results, run, tables


class ReproductionTests(unittest.TestCase):
    def setUp(self):
        self.experiments = families.all_experiments(pathlib.Path("weights"))

    def test_every_experiment_has_a_name_of_its_own_and_a_known_family(self):
        names = [e.name for e in self.experiments]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({e.family for e in self.experiments}, set(families.NAMES))

    def test_caches_of_one_name_are_the_same(self):
        caches = {}
        for cache in [e.cache for e in self.experiments if e.cache]:
            self.assertEqual(caches.setdefault(cache.name, cache), cache)

    def test_schedules_are_shortened_in_proportion(self):
        self.assertEqual(families.schedule(24), ("--epochs", "24", "--milestones", "15,18,21"))
        self.assertEqual(families.schedule(240), ("--epochs", "240", "--milestones", "150,180,210"))

    def test_a_row_is_the_mean_and_the_sample_deviation_over_seeds(self):
        with results() as keep:
            rows = [run(f"kd-s{seed}", "KD", published="70.66") for seed in range(2)]
            self.assertEqual(tables.table(rows), "No results yet.")
            for row, top1 in zip(rows, [69.0, 71.0]):
                keep(row, {"summary": {"test_top1_last": top1, "seconds": 90, "few_top1": None,
                                       "many_top1": top1}})  # a balanced set is all many
            # (69 + 71) / 2, and the root of ((1 + 1) / (2 - 1)).
            self.assertEqual(
                tables.table(rows).splitlines()[2], "| KD | 2 | 70.00 ± 1.41 | 70.66 |")

    def test_a_student_is_compared_with_its_teacher(self):
        with results() as keep:
            teacher = run("ce-s0", "CE")
            cache = experiment.Cache("store", teacher, "cifar100", "weak:1")
            student = run("bkd-s1", "BKD", cache=cache)
            keep(teacher, {"summary": {"test_top1_last": 35.5}})
            keep(student, {"summary": {"test_top1_last": 37.0}})
            self.assertEqual(
                tables.long_tailed([student, teacher], "").splitlines()[2:],
                ["| BKD | 1 | 37.00 | +1.50 |", "| CE | 1 | 35.50 |  |"])

    def test_the_cost_counts_the_dump_once(self):
        with results() as keep:
            by_name = {e.name: e for e in self.experiments}
            two = {"program": "new", "machine": {"threads": 2}}
            keep(by_name["cache-16-s1"].cache, {"seconds": 300, **two})
            keep(by_name["cache-all-s1"], {"summary": {"seconds": 600}, **two})
            keep(by_name["cache-live-s1"], {"summary": {"seconds": 1800}, "program": "new"})
            # 10 + 20 n core minutes against 30 n.
            self.assertEqual(
                tables.cost(self.experiments).splitlines()[2:],
                ["| 1 | 30.0 | 30.0 | 1.00 |", "| 3 | 70.0 | 90.0 | 1.29 |",
                 "| 8 | 170.0 | 240.0 | 1.41 |"])

    def test_the_cost_is_that_of_runs_by_the_program_of_the_dump(self):
        with results() as keep:
            by_name = {e.name: e for e in self.experiments}
            keep(by_name["cache-16-s1"].cache, {"seconds": 300, "program": "new"})
            runs = {"all-s1": (900, "old"), "live-s1": (2100, "old"),
                    "all-s2": (600, "new"), "live-s2": (1200, "new")}
            for name, (seconds, program) in runs.items():
                keep(by_name[f"cache-{name}"],
                     {"summary": {"seconds": seconds}, "program": program})
            # 5 + 10 n core minutes against 20 n.
            self.assertEqual(
                tables.cost(self.experiments).splitlines()[2:],
                ["| 1 | 15.0 | 20.0 | 1.33 |", "| 3 | 35.0 | 60.0 | 1.71 |",
                 "| 8 | 85.0 | 160.0 | 1.88 |"])
            # A second pair, of 7.5 and 30 minutes: 12.5 and 15 in the mean, ratios of 1.33 and 2.4.
            for name, seconds in {"all-s3": 450, "live-s3": 1800}.items():
                keep(by_name[f"cache-{name}"],
                     {"summary": {"seconds": seconds}, "program": "new"})
            self.assertEqual(
                tables.cost(self.experiments).splitlines()[2],
                "| 1 | 13.8 ± 1.8 | 25.0 ± 7.1 | 1.87 ± 0.75 |")
            for name in ("all-s3", "live-s3"):
                by_name[f"cache-{name}"].result.unlink()
            # The seconds of a run that went on with other threads mean nothing.
            both = [{"program": "new", "machine": {"threads": threads}} for threads in (1, 2)]
            keep(by_name["cache-live-s2"],
                 {"summary": {"seconds": 1200}, "program": "new", "starts": both})
            self.assertIn("no whole dump", tables.cost(self.experiments))
            # Nor do those of programs that nobody noted.
            for name in ("all-s1", "live-s1"):
                keep(by_name[f"cache-{name}"], {"summary": {"seconds": 600}})
            keep(by_name["cache-16-s1"].cache, {"seconds": 300})
            self.assertIn("no whole dump", tables.cost(self.experiments))

    def test_tables_go_between_their_marks_and_nothing_else_changes(self):
        text = "a\n<!-- results:crld -->\nold\n<!-- /results:crld -->\nb\n"
        self.assertEqual(
            tables.filled(text, {"crld": "new", "sskd": tables.EMPTY}),
            ("a\n<!-- results:crld -->\nnew\n<!-- /results:crld -->\nb\n", []))

    def test_a_table_without_a_place_is_an_error_unless_it_is_empty(self):
        with results() as keep, tempfile.TemporaryDirectory() as folder:
            readme = pathlib.Path(folder) / "README.md"
            readme.write_text("<!-- results:crld -->\nold\n<!-- /results:crld -->\n")
            with mock.patch.object(tables, "README", readme):
                tables.write(self.experiments)  # there are no results
                self.assertIn("No results yet.", readme.read_text())
                by_name = {e.name: e for e in self.experiments}
                for name in ("crld-kd-s0", "crld-full-kd-s0"):
                    keep(by_name[name], {"summary": {"test_top1_last": 70.5}})
                with self.assertRaisesRegex(experiment.ReproductionError, "no place.*of crld-full,"):
                    tables.write(self.experiments)
                self.assertIn("| KD | 1 | 70.50 | 70.66 |", readme.read_text())

    def test_the_readme_is_replaced_and_never_half_written(self):
        with results(), tempfile.TemporaryDirectory() as folder:
            readme, before = pathlib.Path(folder, "README.md"), pathlib.Path(folder, "before")
            text = "<!-- results:crld -->\nold\n<!-- /results:crld -->\n"
            readme.write_text(text)
            os.link(readme, before)  # the same file, which is left as it was
            with mock.patch.object(tables, "README", readme):
                tables.write(self.experiments)
            self.assertIn("No results yet.", readme.read_text())
            self.assertEqual(before.read_text(), text)
            self.assertEqual(len(os.listdir(folder)), 2)

    def test_an_option_takes_its_own_value_and_no_neighbour(self):
        self.assertEqual(
            experiment.options(["--nesterov", "--lr", "-1", "--set", "bkd.beta=-0.5",
                                "--milestones", "2,3", "--quiet"]),
            {"--nesterov": "given", "--lr": "-1", "--set bkd.beta": "-0.5",
             "--milestones": "2,3", "--quiet": "given"})

    def test_a_result_of_other_options_is_named(self):
        job = experiment.Experiment("kd", "bkd", "KD", "cifar100",
                                    ("--epochs", "24", "--set", "bkd.beta=0"), seed=1)
        with results() as keep:
            for command, change in (
                    ("--epochs 24 --set bkd.beta=0 --seed 1 --threads 2 --output o", None),
                    ("--epochs 40 --set bkd.beta=0 --seed 1", "--epochs 40, now 24"),
                    ("--epochs 24 --set bkd.beta=0.9 --seed 1", "--set bkd.beta 0.9, now 0"),
                    ("--epochs 24 --set bkd.beta=0 --seed 1 --lr 1", "--lr 1, now left out"),
                    ("--nesterov --set bkd.beta=0 --epochs 24 --seed 1",
                     "--nesterov given, now left out"),
                    ("--epochs 24 --seed 1", "--set bkd.beta left out, now 0")):
                keep(job, {"command": "student-train --data DATA/x " + command})
                self.assertEqual(job.change(), change)

    def test_a_result_of_another_cache_is_named(self):
        cache = experiment.Cache("store", pathlib.Path("weights"), "cifar100", "weak:1")
        job = run("kd", "KD", cache=cache)
        with results() as keep:
            keep(job, {"command": "student-train --seed 0", "summary": {"cache_id": "a"}})
            self.assertIsNone(job.change())
            keep(cache, {"info": {"cache_id": "b"}})
            self.assertEqual(job.change(), "the cache a, now b")

    def test_a_damaged_result_is_named(self):
        with results():
            job = run("kd", "KD")
            job.result.write_text("{")
            for look in (job.change, lambda: tables.table([job])):
                with self.assertRaisesRegex(experiment.ReproductionError, "kd.json is damaged"):
                    look()

    def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a.json")
            path.write_text("before")
            with mock.patch.object(pathlib.Path, "replace", side_effect=OSError("full")):
                with self.assertRaises(OSError):
                    experiment.replace(path, "after")
            self.assertEqual((os.listdir(folder), path.read_text()), (["a.json"], "before"))

    def test_the_published_lengths_want_to_be_named(self):
        def named(pattern):
            return [e.name for e in self.experiments if e.is_background and e.matches(pattern)]

        self.assertEqual(named("*-s0") + named("crld-*") + named("*"), [])
        self.assertEqual(named("bkd-full-*"),
                         ["bkd-full-teacher", "bkd-full-kd-s0", "bkd-full-bkd-s0"])
        self.assertEqual(named("crld-full-kd-s0"), ["crld-full-kd-s0"])


if __name__ == "__main__":
    unittest.main()
