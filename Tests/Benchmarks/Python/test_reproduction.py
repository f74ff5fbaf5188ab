"""The experiments of tools/reproduce and the tables that are made of their results."""
import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

from reproduction import experiment, families, runner, tables  # noqa: E402


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
                tables.table(rows).splitlines()[2], "| KD | 2 | 70.00 ± 1.41 | 2 | 70.66 |")

    def test_a_student_is_compared_with_its_teacher(self):
        with results() as keep:
            teacher, student = run("ce-s0", "CE"), run("bkd-s1", "BKD")
            keep(teacher, {"summary": {"test_top1_last": 35.5}})
            keep(student, {"summary": {"test_top1_last": 37.0}})
            self.assertEqual(
                tables.long_tailed([teacher, student], "").splitlines()[2:],
                ["| CE | 1 | 35.50 |  |", "| BKD | 1 | 37.00 | +1.50 |"])

    def test_the_cost_counts_the_dump_once(self):
        with results() as keep:
            by_name = {e.name: e for e in self.experiments}
            keep(by_name["cache-16-s1"].cache, {"seconds": 300, "machine": {"threads": 2}})
            keep(by_name["cache-16-s1"], {"summary": {"seconds": 600}, "machine": {"threads": 2}})
            keep(by_name["cache-live-s1"], {"summary": {"seconds": 1800}})
            # 10 + 20 n core minutes against 30 n.
            self.assertEqual(
                tables.cost(self.experiments).splitlines()[2:],
                ["| 1 | 30.0 | 30.0 | 1.00 |", "| 3 | 70.0 | 90.0 | 1.29 |",
                 "| 8 | 170.0 | 240.0 | 1.41 |"])

    def test_tables_go_between_their_marks_and_nothing_else_changes(self):
        text = "a\n<!-- results:crld -->\nold\n<!-- /results:crld -->\nb\n"
        self.assertEqual(
            tables.filled(text, {"crld": "new", "sskd": "other"}),
            "a\n<!-- results:crld -->\nnew\n<!-- /results:crld -->\nb\n")

    def test_a_job_comes_behind_what_it_needs_and_first_runs_before_second_ones(self):
        teacher = run("teacher", "CE")
        cache = experiment.Cache("store", teacher, "cifar100", "weak:1")
        students = [run(f"kd-{index}", "KD", cache=cache) for index in range(2)]
        jobs = runner.with_needs([*students, run("crld", "CRLD", cache=cache)])
        self.assertEqual([job.name for job in jobs], ["teacher", "store", "kd-0", "crld", "kd-1"])

    def test_a_job_waits_for_its_teacher_and_is_left_when_that_fails(self):
        with results(), tempfile.TemporaryDirectory() as work:
            for program in ("student-train", "teacher-dump"):
                (pathlib.Path(work) / program).touch()
            options = argparse.Namespace(parallel=2, work=pathlib.Path(work), no_commit=True)
            teacher = run("teacher", "CE")
            cache = experiment.Cache("store", teacher, "cifar100", "weak:1")
            student, other = run("kd", "KD", cache=cache), run("other", "CE")
            started = []

            def finish(job):
                started.append(job.name)
                if job is teacher:
                    raise runner.ReproductionError("the teacher failed")
                job.result.write_text("{}")

            tested = runner.Runner(options)
            tested.programs, tested.finish = pathlib.Path(work), finish
            with self.assertRaisesRegex(runner.ReproductionError, "1 failed, 2 were left.*teacher"):
                tested.run([student, other])
            self.assertEqual(sorted(started), ["other", "teacher"])

    def test_an_interrupted_dump_leaves_the_time_of_a_whole_one(self):
        cache = experiment.Cache("store", pathlib.Path(__file__), "cifar100", "weak:1")
        for known, seconds in (("same", 90), ("other", None)):
            with results() as keep, tempfile.TemporaryDirectory() as work:
                work = pathlib.Path(work)
                program = work / "teacher-dump"
                program.write_text("""#!/bin/sh\necho '{"content_hash": "same"}'\n""")
                program.chmod(0o755)
                keep(cache, {"seconds": 90, "info": {"content_hash": known}})
                tested = runner.Runner(argparse.Namespace(
                    parallel=1, work=work, data=work, weights=work, no_commit=True))
                tested.programs, tested.data = work, lambda dataset: work
                tested.folder(cache).mkdir(parents=True)  # begun by a dump that was stopped
                with mock.patch.object(runner, "RESULTS", experiment.RESULTS):
                    with contextlib.redirect_stdout(None):
                        tested.make(cache)
                self.assertEqual(json.loads(cache.result.read_text())["seconds"], seconds)


def run(name, title, **fields):
    return experiment.Experiment(name, "bkd", title, "cifar100", (), **fields)


@contextlib.contextmanager
def results():
    """An empty folder of results, and how to put one there."""
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(experiment, "RESULTS", pathlib.Path(folder)):
            yield lambda job, result: job.result.write_text(json.dumps(result))


if __name__ == "__main__":
    unittest.main()
