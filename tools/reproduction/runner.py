"""Runs experiments, several at a time, and keeps what they gave."""
import collections
import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import shlex
import shutil
import signal
import subprocess
import threading
import time

from .experiment import (
    PROJECT, RESULTS, TEACHERS, Cache, Experiment, ReproductionError, replace)

FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}


class Runner:
    def __init__(self, options):
        self.options = options
        self.threads = max(1, (os.cpu_count() or 1) // options.parallel)
        self.programs = PROJECT / ".build" / "release"
        self.source = None
        self.repeated = set()  # names of finished experiments that are to be run again
        self.turn = threading.Condition()
        self.todo = []
        self.failures = []
        self.running = set()
        self.running_jobs = set()
        self.is_stopping = False

    def run(self, experiments):
        for program in ("student-train", "teacher-dump"):
            if not (self.programs / program).exists():
                raise ReproductionError(f"{program} is not built; run swift build -c release")
        self.source = {"commit": source_commit(),
                       "program": digest(self.programs / "student-train")[:16]}
        if not self.options.no_commit:
            commit_leftovers()
        if self.options.repeat:
            self.repeated = {e.name for e in experiments}
        missing = [e for e in experiments if not self.is_done(e)]
        say(f"{len(experiments) - len(missing)} of {len(experiments)} experiments are done")
        self.todo = [job for job in with_needs(missing) if not self.is_done(job)]
        workers = [threading.Thread(target=self.work) for _ in range(self.options.parallel)]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except KeyboardInterrupt:
            with self.turn:
                self.is_stopping = True
                for process in self.running:
                    process.send_signal(signal.SIGINT)
            raise
        if self.failures:
            raise ReproductionError(
                f"{len(self.failures)} failed, {len(self.todo)} were left; the first: "
                f"{self.failures[0]}")

    def work(self):
        """Takes the first job whose needs are there, until none can follow."""
        while True:
            with self.turn:
                job = self.next()
                while job is None and self.running_jobs and self.todo:
                    self.turn.wait()
                    job = self.next()
                if job is None or self.is_stopping:
                    return
                self.todo.remove(job)
                self.running_jobs.add(job.name)
            try:
                with self.alone(job):
                    if job.name in self.repeated:
                        self.forget(job)
                    if not self.is_done(job):  # by another process, since we looked
                        self.make(job) if isinstance(job, Cache) else self.finish(job)
            except Exception as error:
                if not self.is_stopping:
                    self.failures.append(f"{job.name}: {error}")
                    say(self.failures[-1])
            finally:  # whatever went wrong, the others must not wait for it
                with self.turn:
                    self.running_jobs.discard(job.name)
                    self.turn.notify_all()

    def next(self):
        ready = (job for job in self.todo if all(self.is_done(need) for need in job.needs))
        return next(ready, None)

    def is_done(self, job):
        if isinstance(job, Experiment):
            return job.result.exists() and job.name not in self.repeated
        teacher = digest(weights(job.teacher))
        return self.mark(job).exists() and teacher in ("", self.mark(job).read_text())

    def mark(self, cache):
        """Is there when the cache is whole, and holds the hash of its teacher's weights."""
        return self.folder(cache) / "complete"

    @contextlib.contextmanager
    def alone(self, job):
        """Keeps other processes with the same --work from the job."""
        path = self.options.work / "logs" / f"{job.name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ReproductionError("another tools/reproduce is at it") from None
            yield

    def forget(self, experiment):
        """Takes its result and its run away, so that it is run from the start."""
        experiment.result.unlink(missing_ok=True)
        shutil.rmtree(self.options.work / "runs" / experiment.name, ignore_errors=True)
        self.repeated.discard(experiment.name)

    def finish(self, experiment):
        output = self.options.work / "runs" / experiment.name
        command = self.command(experiment, output)
        say(f"{now():%H:%M} {experiment.name}")
        self.call(command, experiment.name)
        if experiment.keeps_weights:
            experiment.weights.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(output / "last.safetensors", experiment.weights)
        self.keep(experiment, output, command)

    def command(self, e, output):
        command = [str(self.programs / "student-train"), "--data", str(self.data(e.dataset)),
                   *e.flags, "--seed", str(e.seed), "--threads", str(self.threads),
                   "--output", str(output)]
        if e.cache:
            return command + ["--cache", str(self.folder(e.cache))]
        command += ["--dataset", e.dataset]
        return command + (["--teacher", str(self.teacher(e.live))] if e.live else [])

    def make(self, cache):
        say(f"{now():%H:%M} cache {cache.name}")
        folder = self.folder(cache)
        if self.mark(cache).exists() and self.mark(cache).read_text() != "":
            shutil.rmtree(folder)  # of other weights of its teacher, since it counts as missing
        is_new = not folder.exists()
        command = [
            str(self.programs / "teacher-dump"), "--dataset", cache.dataset, "--data",
            str(self.data(cache.dataset)), "--teacher", str(self.teacher(cache.teacher)),
            "--views", cache.views, *cache.flags, "--threads", str(self.threads),
            "--cache", str(folder)]
        start = time.monotonic()
        self.call(command, cache.name)
        seconds = time.monotonic() - start
        self.mark(cache).write_text(digest(weights(cache.teacher)))
        facts = json.loads(subprocess.run(
            [str(self.programs / "teacher-dump"), "info", str(folder), "--json"], check=True,
            text=True, capture_output=True).stdout)
        kept = ("cache_id", "content_hash", "views", "records", "bytes", "logit_codec",
                "logit_bytes_per_view", "gradient_error", "teacher_top1")
        if not is_new and cache.result.exists():
            known = json.loads(cache.result.read_text())["info"]
            if known["content_hash"] == facts["content_hash"]:
                return  # the same cache, whose time an earlier, whole dump may have measured
        self.write(cache, {
            "name": cache.name, "command": shlex.join(self.shortened(command)),
            "seconds": seconds if is_new else None,  # of a dump that nothing interrupted
            "info": {key: facts.get(key) for key in kept}, **self.circumstances()})

    def folder(self, cache):
        return self.options.work / "caches" / cache.name

    def teacher(self, teacher):
        """The weight file of a teacher."""
        path = weights(teacher)
        if not path.exists():
            raise ReproductionError(
                f"there is no {path}; give the folder of the published weights as --weights")
        return path

    def data(self, dataset):
        folder = self.options.data / FOLDERS[dataset]
        if not folder.exists():
            raise ReproductionError(
                f"there is no {folder}; run tools/get-data {dataset}, or give --data")
        return folder

    def call(self, command, name):
        log = self.options.work / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as file:
            # A session of its own: Ctrl-C reaches the programs once, through us.
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
            with self.turn:
                self.running.add(process)
                if self.is_stopping:  # since the others were told
                    process.send_signal(signal.SIGINT)
            status = process.wait()
            with self.turn:
                self.running.discard(process)
        if status != 0:
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise ReproductionError(f"ended with {status}: {last}; see {log}")

    def keep(self, experiment, output, command):
        curve = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        summary = json.loads((output / "summary.json").read_text())
        say(f"{now():%H:%M} {experiment.name}: {summary['test_top1_last']:.2f} %")
        self.write(experiment, {
            "name": experiment.name, "family": experiment.family, "title": experiment.title,
            "dataset": experiment.dataset, "seed": experiment.seed,
            "command": shlex.join(self.shortened(command)), "summary": summary, "curve": curve,
            **self.circumstances()})

    def circumstances(self):
        return {"machine": machine(self.threads), "finished": f"{now():%Y-%m-%d %H:%M} UTC",
                **self.source}

    def write(self, job, result):
        """Keeps what a job gave as a file of its own, with the weights of a teacher, and commits it."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        replace(job.result, json.dumps(result, indent=1) + "\n")
        if self.options.no_commit:
            return
        files = [str(job.result)]
        if isinstance(job, Experiment) and job.keeps_weights:
            files.append(str(job.weights))
        with self.turn:
            keep(files, f"Result of {job.name}")

    def shortened(self, command):
        """The command with names in place of this machine's paths."""
        places = [(self.programs, ""), (RESULTS, "data/results"), (self.options.work, "WORK"),
                  (self.options.weights, "WEIGHTS"), (self.options.data, "DATA"), (PROJECT, "")]

        def short(word):
            for path, name in places:
                if word == str(path) or word.startswith(f"{path}/"):
                    return (name + word[len(str(path)):]).lstrip("/")
            return word

        return [short(word) for word in command]


def weights(teacher):
    """The weight file of a teacher, which may be missing: one of ours, or a published one."""
    return teacher.weights if isinstance(teacher, Experiment) else pathlib.Path(teacher)


def with_needs(experiments):
    """Every job once, behind what it needs: the first run of each row, then the second of each."""
    jobs, runs = {}, collections.Counter()

    def add(job):
        if job.name not in jobs:
            for need in job.needs:
                add(need)
            jobs[job.name] = job

    def turn(experiment):
        row = (experiment.family, experiment.dataset, experiment.title)
        runs[row] += 1
        return runs[row]

    for experiment in sorted(experiments, key=turn):
        add(experiment)
    return list(jobs.values())


def say(text):
    """Prints; who reads it may go away, the experiments go on."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def git(*arguments):
    done = subprocess.run(["git", "-C", str(PROJECT), *arguments], text=True, capture_output=True)
    if done.returncode != 0:
        raise ReproductionError(f"git {arguments[0]}: {done.stderr.strip()}; with --no-commit results "
                                "are kept without git")
    return done.stdout.strip()


def source_commit():
    """The last commit of the programs' sources, with a + where they differ from it; None outside a
    checkout."""
    places = ("--", "Sources", "Package.swift")
    try:
        commit = git("log", "-1", "--format=%h", "--abbrev=12", *places)
        return commit + ("+" if git("status", "--porcelain", *places) else "")
    except (OSError, ReproductionError):
        return None


def keep(files, message):
    """Commits those of some files that differ from the last commit; another process may have."""
    git("add", "--", *files)
    if git("status", "--porcelain", "--", *files):
        git("commit", "--quiet", "-m", message, "--", *files)


def commit_leftovers():
    """Results that a process wrote and could not commit; not those that are missing."""
    files = [str(path) for path in (*RESULTS.glob("*.json"), *TEACHERS.glob("*.safetensors"))]
    if files:
        keep(files, "Results that were not committed yet")


def digest(path):
    """SHA-256 of a file, in hex digits; empty where there is none."""
    path = pathlib.Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def machine(threads):
    """What the times of a run are worth."""
    model = platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    return {"processor": model, "cores": os.cpu_count(), "threads": threads}
