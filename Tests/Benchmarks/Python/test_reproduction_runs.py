"""How tools/reproduce runs experiments, keeps what they gave, and stops."""
import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import shlex
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from unittest import mock

from reproduction_fixtures import a_runner, experiment, results, run, runner, work_folder


class RunTests(unittest.TestCase):
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
            tested.mark(cache).write_text(f"of the last teacher\n{shlex.join(cache.request)}")
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

    def test_a_program_keeps_its_job_when_its_parent_is_killed(self):
        with work_folder() as options:
            job, tested, other = run("kd", "KD"), a_runner(options), a_runner(options)
            parent = os.fork()
            if parent == 0:
                try:
                    with tested.alone(job):
                        tested.call(["sh", "-c", "echo begun; sleep 2"], job.name)
                finally:
                    os._exit(1)
            log = options.work / "logs" / "kd.log"
            while not (log.exists() and log.read_text()):
                time.sleep(0.01)
            os.kill(parent, signal.SIGKILL)
            os.waitpid(parent, 0)
            with open(options.work / "logs" / "kd.lock", "w") as lock:
                self.assertFalse(runner.locked(lock))
            with contextlib.redirect_stdout(None), other.alone(job):
                pass  # once it has ended

    def test_a_run_names_all_that_it_was_made_by(self):
        with results(), work_folder() as options:
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
                    with contextlib.redirect_stdout(None), tested.alone(cache):
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
                with tested.alone(cache):
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
            with contextlib.redirect_stdout(None), tested.alone(cache):
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


if __name__ == "__main__":
    unittest.main()
