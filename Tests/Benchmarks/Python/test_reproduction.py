"""The experiments of tools/reproduce and the tables that are made of their results."""
import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
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
            keep(by_name["cache-16-s1"], {"summary": {"seconds": 600}, **two})
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
            runs = {"16-s1": (900, "old"), "live-s1": (2100, "old"),
                    "16-s2": (600, "new"), "live-s2": (1200, "new")}
            for name, (seconds, program) in runs.items():
                keep(by_name[f"cache-{name}"],
                     {"summary": {"seconds": seconds}, "program": program})
            # 5 + 10 n core minutes against 20 n.
            self.assertEqual(
                tables.cost(self.experiments).splitlines()[2:],
                ["| 1 | 15.0 | 20.0 | 1.33 |", "| 3 | 35.0 | 60.0 | 1.71 |",
                 "| 8 | 85.0 | 160.0 | 1.88 |"])
            # The seconds of a run that went on with other threads mean nothing.
            both = [{"program": "new", "machine": {"threads": threads}} for threads in (1, 2)]
            keep(by_name["cache-live-s2"],
                 {"summary": {"seconds": 1200}, "program": "new", "starts": both})
            self.assertIn("no whole dump", tables.cost(self.experiments))
            # Nor do those of programs that nobody noted.
            for name in ("16-s1", "live-s1"):
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

    def test_what_is_done_needs_no_cache(self):
        with results() as keep, work_folder() as options:
            cache = experiment.Cache("store", pathlib.Path("missing"), "cifar100", "weak:1")
            student = run("kd", "KD", cache=cache)
            keep(student, {})
            tested = a_runner(options)
            tested.make = lambda job: self.fail("the cache is not needed")
            with contextlib.redirect_stdout(None):
                tested.run([student])

    def test_a_cache_of_other_weights_is_not_done(self):
        with work_folder() as options:
            weights = options.work / "weights"
            cache = experiment.Cache("store", weights, "cifar100", "weak:1")
            tested = a_runner(options)
            mark = tested.folder(cache) / "complete"
            mark.parent.mkdir(parents=True)
            self.assertFalse(tested.is_done(cache))
            weights.write_text("abc")
            # FIPS 180-2, appendix B.1
            mark.write_text("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
                            "--dataset cifar100 --views weak:1")
            self.assertTrue(tested.is_done(cache))
            self.assertFalse(tested.is_done(dataclasses.replace(cache, views="weak:2")))
            weights.write_text("abd")
            self.assertFalse(tested.is_done(cache))

    def test_a_cache_is_not_done_before_its_teacher(self):
        with results() as keep, work_folder() as options:
            teacher = run("teacher", "CE")
            cache = experiment.Cache("store", teacher, "cifar100", "weak:1")
            tested = a_runner(options)
            tested.mark(cache).parent.mkdir(parents=True)
            tested.mark(cache).write_text(f"of the last teacher\n{cache.options}")
            self.assertFalse(tested.is_done(cache))
            keep(teacher, {})
            self.assertTrue(tested.is_done(cache))  # whose weights are not here: nothing is known

    def test_a_job_of_another_process_is_left_to_it(self):
        with results() as keep, work_folder() as options:
            job = run("kd", "KD")
            tested, other = a_runner(options), a_runner(options)
            tested.finish = lambda job: self.fail("two processes at one run")
            with other.alone(job), contextlib.redirect_stdout(None):
                waiting = threading.Thread(target=tested.run, args=([job],))
                waiting.start()
                waiting.join(0.2)
                self.assertTrue(waiting.is_alive())
                keep(job, {})
            waiting.join()
            self.assertEqual((tested.failures, tested.todo), ([], []))

    def test_a_run_names_all_that_it_was_made_by(self):
        with results() as keep, work_folder() as options:
            job, tested = run("kd", "KD"), a_runner(options)
            output = options.work / "runs" / job.name
            (options.work / "logs").mkdir()
            seen = []
            for program in ("first", "second"):
                (options.work / "student-train").write_text(program)
                seen = tested.starts(job, output)
                output.mkdir(parents=True, exist_ok=True)
            # SHA-256 of the words
            self.assertEqual([start["program"] for start in seen],
                             ["a7937b64b8caa58f", "16367aacb67a4a01"])
            (output / "metrics.jsonl").touch()
            (output / "summary.json").write_text('{"test_top1_last": 1}')
            (options.work / "student-train").write_text("a third one, which only finds it done")
            with contextlib.redirect_stdout(None):
                tested.keep(job, output, [], tested.starts(job, output))
            kept = experiment.read(job.result)
            self.assertEqual((kept["program"], len(kept["starts"])), ("16367aacb67a4a01", 2))

    def test_results_that_were_left_are_committed_and_no_deletion_is(self):
        with tempfile.TemporaryDirectory() as folder:
            project = pathlib.Path(folder)
            store = project / "results"
            store.mkdir()
            with mock.patch.multiple(runner, PROJECT=project, RESULTS=store,
                                     TEACHERS=store / "teachers"):
                runner.git("init", "--quiet")
                for name, value in (("user.name", "a"), ("user.email", "a@b")):
                    runner.git("config", name, value)
                (store / "gone.json").write_text("{}")
                runner.commit_leftovers()
                (store / "gone.json").unlink()
                (store / "new.json").write_text("{}")
                (store / "half.part").write_text("{")
                (store / "teachers").mkdir()
                (store / "teachers" / "new.safetensors").touch()
                (store / "teachers" / "unfinished.safetensors").touch()
                runner.commit_leftovers()
                runner.commit_leftovers()  # nothing is left: no error
                self.assertEqual(runner.git("ls-files").split(),
                                 ["results/gone.json", "results/new.json",
                                  "results/teachers/new.safetensors"])
                with self.assertRaisesRegex(experiment.ReproductionError, "git add: .*missing"):
                    runner.keep([str(store / "missing.json")], "message")

    def test_commands_name_no_folder_of_this_machine(self):
        with work_folder() as options:
            options.data = experiment.PROJECT / "data"
            tested = runner.Runner(options)
            command = [str(tested.programs / "student-train"), "--data",
                       f"{options.data}/cifar-100-binary", "--dataset", "cifar100", "--teacher",
                       f"{experiment.TEACHERS}/ce.safetensors", "--cache", f"{options.work}/caches/a",
                       f"{options.work}-2/a"]
            self.assertEqual(tested.shortened(command), [
                "student-train", "--data", "DATA/cifar-100-binary", "--dataset", "cifar100",
                "--teacher", "data/results/teachers/ce.safetensors", "--cache", "WORK/caches/a",
                f"{options.work}-2/a"])

    def test_a_job_comes_behind_what_it_needs_and_first_runs_before_second_ones(self):
        teacher = run("teacher", "CE")
        cache = experiment.Cache("store", teacher, "cifar100", "weak:1")
        students = [run(f"kd-{index}", "KD", cache=cache) for index in range(2)]
        jobs = runner.with_needs([*students, run("crld", "CRLD", cache=cache)])
        self.assertEqual([job.name for job in jobs], ["teacher", "store", "kd-0", "crld", "kd-1"])

    def test_a_job_waits_for_its_teacher_and_is_left_when_that_fails(self):
        with results(), work_folder() as options:
            teacher = run("teacher", "CE")
            cache = experiment.Cache("store", teacher, "cifar100", "weak:1")
            student, other = run("kd", "KD", cache=cache), run("other", "CE")
            started = []

            def finish(job):
                started.append(job.name)
                if job is teacher:
                    raise experiment.ReproductionError("the teacher failed")
                job.result.write_text("{}")

            tested = a_runner(options)
            tested.finish = finish
            with self.assertRaisesRegex(
                    experiment.ReproductionError, "1 failed, 2 were left.*teacher"):
                with contextlib.redirect_stdout(None):
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
                self.assertTrue(tested.is_done(cache))

    def test_a_dump_is_done_when_its_result_is_there(self):
        cache = experiment.Cache("store", pathlib.Path(__file__), "cifar100", "weak:1")
        with results(), work_folder() as options:
            program = options.work / "teacher-dump"
            program.write_text("""#!/bin/sh\n[ "$1" != info ]\n""")
            program.chmod(0o755)
            tested = a_runner(options)
            tested.data = lambda dataset: options.work
            tested.folder(cache).mkdir(parents=True)
            with contextlib.redirect_stdout(None), self.assertRaises(subprocess.CalledProcessError):
                tested.make(cache)
            self.assertFalse(tested.is_done(cache))

    def test_a_cache_whose_teacher_changed_meanwhile_is_refused(self):
        with results(), work_folder() as options:
            weights = options.work / "weights"
            weights.write_text("one")
            cache = experiment.Cache("store", weights, "cifar100", "weak:1")
            program = options.work / "teacher-dump"
            program.write_text(f"#!/bin/sh\necho two > {weights}\n")
            program.chmod(0o755)
            tested = a_runner(options)
            tested.data = lambda dataset: options.work
            with contextlib.redirect_stdout(None):
                with self.assertRaisesRegex(experiment.ReproductionError, "became another"):
                    tested.make(cache)
            self.assertFalse(tested.mark(cache).exists())

    def test_a_second_signal_does_not_keep_the_rest_running(self):
        with work_folder() as options:
            tested, program = a_runner(options), mock.Mock()
            tested.running.add(program)
            handlers = {end: signal.getsignal(end) for end in runner.ENDS}
            is_held = threading.Event()

            def another():
                with tested.turn:
                    is_held.set()
                    time.sleep(0.1)
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(0.1)

            threading.Thread(target=another).start()
            is_held.wait()
            try:
                tested.stop()
            finally:
                for end, handler in handlers.items():
                    signal.signal(end, handler)
            self.assertTrue(tested.is_stopping)
            program.send_signal.assert_called_once_with(signal.SIGINT)


def run(name, title, **fields):
    return experiment.Experiment(name, "bkd", title, "cifar100", (), **fields)


@contextlib.contextmanager
def work_folder():
    """Options with a --work of its own, in which programs seem to be built."""
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work).resolve()
        for program in ("student-train", "teacher-dump"):
            (work / program).touch()
        yield argparse.Namespace(
            parallel=2, work=work, data=work, weights=work, no_commit=True)


def a_runner(options):
    tested = runner.Runner(options)
    tested.programs = options.work
    return tested


@contextlib.contextmanager
def results():
    """An empty folder of results, and how to put one there."""
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(experiment, "RESULTS", pathlib.Path(folder)):
            yield lambda job, result: job.result.write_text(json.dumps(result))


if __name__ == "__main__":
    unittest.main()
