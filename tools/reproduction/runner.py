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
    PROJECT, RESULTS, TEACHERS, Cache, Experiment, ReproductionError, read, replace)

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}


class Runner:
    def __init__(self, options):
        self.options = options
        self.threads = max(1, (os.cpu_count() or 1) // options.parallel)
        self.programs = PROJECT / ".build" / "release"
        self.turn = threading.Condition()
        self.todo = []
        self.failures = []
        self.running = set()
        self.running_jobs = set()
        self.is_stopping = False
        self.locks = {}  # of the jobs at work, by name

    def run(self, experiments):
        for program in ("student-train", "teacher-dump"):
            if not (self.programs / program).exists():
                raise ReproductionError(f"{program} is not built; run swift build -c release")
        if not self.options.no_commit:
            git("var", "GIT_COMMITTER_IDENT")  # now, not after hours
            commit_leftovers()
        missing = [e for e in experiments if not self.is_done(e)]
        say(f"{len(experiments) - len(missing)} of {len(experiments)} experiments are done")
        self.todo = [job for job in with_needs(missing) if not self.is_done(job)]
        workers = [threading.Thread(target=self.work) for _ in range(self.options.parallel)]
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        except KeyboardInterrupt:
            self.stop()
            raise
        if self.failures or self.todo:
            raise ReproductionError("; the first: ".join(
                [f"{len(self.failures)} failed, {len(self.todo)} were left", *self.failures[:1]]))

    def stop(self):
        """The programs that run save and end, the others do not begin."""
        for end in ENDS:  # a second one changes nothing; handlers are not inherited by programs
            signal.signal(end, lambda *_: None)
        with self.turn:
            self.is_stopping = True
            for process in self.running:
                process.send_signal(signal.SIGINT)

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
            return job.result.exists()
        if not all(self.is_done(need) for need in job.needs):
            return False  # its teacher will be another
        teacher, request = self.marked(job)
        return request == shlex.join(job.request) and digest(weights(job.teacher)) in ("", teacher)

    def mark(self, cache):
        """Is there when the cache is whole: the hash of its teacher's weights, and on the second line
        what it was asked to hold."""
        return self.folder(cache) / "complete"

    def marked(self, cache):
        """Both lines of the mark, empty where there is none."""
        text = self.mark(cache).read_text() if self.mark(cache).exists() else ""
        teacher, _, request = text.partition("\n")
        return teacher, request

    @contextlib.contextmanager
    def alone(self, job):
        """Keeps other processes with the same --work from the job, or waits for the one that has it."""
        path = self.options.work / "logs" / f"{job.name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w") as lock:
            if not locked(lock):
                say(f"{job.name}: another tools/reproduce is at it, waiting")
                while not locked(lock):
                    if self.is_stopping:
                        raise ReproductionError("another tools/reproduce is at it")
                    time.sleep(1)
            # The program of the job has it too: where this process is killed it stays taken until that ends.
            self.locks[job.name] = lock
            yield

    def finish(self, experiment):
        output = self.options.work / "runs" / experiment.name
        command = self.command(experiment, output)
        say(f"{now():%H:%M} {experiment.name}")
        starts = self.starts(experiment, output)
        self.call(command, experiment.name)
        if experiment.keeps_weights:
            experiment.weights.parent.mkdir(parents=True, exist_ok=True)
            part = experiment.weights.with_suffix(".part")
            shutil.copyfile(output / "last.safetensors", part)
            part.replace(experiment.weights)
        self.keep(experiment, output, command, starts)

    def starts(self, experiment, output):
        """When and by what a run was begun and taken up again, this time among them; a run that has
        ended is only looked at."""
        file = self.options.work / "logs" / f"{experiment.name}.starts.json"
        starts = json.loads(file.read_text()) if output.exists() and file.exists() else []
        if not (output / "summary.json").exists():
            starts.append(self.circumstances())
            replace(file, json.dumps(starts))
        return starts

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
        folder, circumstances = self.folder(cache), self.circumstances()
        teacher = digest(self.teacher(cache.teacher))
        if self.marked(cache)[0] not in ("", teacher):
            shutil.rmtree(folder)  # of other weights of its teacher
        is_new = not folder.exists()
        command = [
            str(self.programs / "teacher-dump"), *cache.request, "--data",
            str(self.data(cache.dataset)), "--teacher", str(self.teacher(cache.teacher)),
            "--threads", str(self.threads), "--cache", str(folder)]
        start = time.monotonic()
        self.call(command, cache.name)
        seconds = time.monotonic() - start
        if digest(weights(cache.teacher)) != teacher:
            raise ReproductionError(f"{weights(cache.teacher)} became another while it was dumped; "
                                    f"delete {folder} and start again")
        facts = json.loads(subprocess.run(
            [str(self.programs / "teacher-dump"), "info", str(folder), "--json"], check=True,
            text=True, capture_output=True, start_new_session=True).stdout)
        kept = ("cache_id", "content_hash", "views", "records", "bytes", "logit_codec",
                "logit_bytes_per_view", "gradient_error", "teacher_top1")
        known = read(cache.result)["info"]["content_hash"] if cache.result.exists() else None
        # The same cache keeps the time that an earlier, whole dump may have measured.
        if is_new or known != facts["content_hash"]:
            self.write(cache, {
                "name": cache.name, "command": shlex.join(self.shortened(command)),
                "seconds": seconds if is_new else None,  # of a dump that nothing interrupted
                "info": {key: facts.get(key) for key in kept}, **circumstances,
                "finished": minute()})
        replace(self.mark(cache), f"{teacher}\n{shlex.join(cache.request)}")

    def folder(self, cache):
        return self.options.work / "caches" / cache.name

    def teacher(self, teacher):
        """The weight file of a teacher."""
        path = weights(teacher)
        if not path.exists():
            remedy = (f"delete {teacher.result} to train it again" if isinstance(teacher, Experiment)
                      else "give the folder of the published weights as --weights")
            raise ReproductionError(f"there is no {path}; {remedy}")
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
                                       stdin=subprocess.DEVNULL, start_new_session=True,
                                       pass_fds=[self.locks[name].fileno()])
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

    def keep(self, experiment, output, command, starts):
        curve = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        summary = json.loads((output / "summary.json").read_text())
        several = {"starts": starts} if len(starts) > 1 else {}
        self.write(experiment, {
            "name": experiment.name, "family": experiment.family, "title": experiment.title,
            "dataset": experiment.dataset, "seed": experiment.seed,
            "command": shlex.join(self.shortened(command)), "summary": summary, "curve": curve,
            **(starts[-1] if starts else {}), **several, "finished": minute()})
        say(f"{now():%H:%M} {experiment.name}: {summary['test_top1_last']:.2f} %")

    def circumstances(self):
        """What is about to be run, and where. The programs are built together, so the hash of one names
        both; the commit is that of the checkout."""
        return {"started": minute(), "machine": machine(self.threads), "commit": source_commit(),
                "program": digest(self.programs / "student-train")[:16]}

    def write(self, job, result):
        """Keeps what a job gave as a file of its own, with the weights of a teacher, and commits it."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        replace(job.result, json.dumps(result, indent=1) + "\n")
        if self.options.no_commit:
            return
        files = [str(job.result)]
        if isinstance(job, Experiment) and job.keeps_weights:
            files.append(str(job.weights))
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
    """Prints; who reads it may go away, a disk fill up: the experiments go on."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def minute():
    return f"{now():%Y-%m-%d %H:%M} UTC"


def locked(file):
    """Whether we have the lock of an open file now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def git(*arguments):
    done = subprocess.run(["git", "-C", str(PROJECT), *arguments], text=True, capture_output=True,
                          start_new_session=True)  # Ctrl-C ends no commit half way
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise ReproductionError(
            f"git {arguments[0]}: {said}; with --no-commit results are kept without git")
    return done.stdout.strip()


def source_commit():
    """The last commit of the sources in this checkout, with a + where they differ from it; None outside
    of one."""
    places = ("--", "Sources", "Package.swift")
    try:
        commit = git("log", "-1", "--format=%h", "--abbrev=12", *places)
        return commit + ("+" if git("status", "--porcelain", *places) else "")
    except (OSError, ReproductionError):
        return None


def keep(files, message):
    """Commits those of some files that differ from the last commit, one process or thread at a time."""
    with open(pathlib.Path(git("rev-parse", "--absolute-git-dir")) / "reproduce.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        git("add", "--", *files)
        if git("status", "--porcelain", "--", *files):
            git("commit", "--quiet", "-m", message, "--", *files)


def commit_leftovers():
    """Results that a process wrote and could not commit; not those that are missing, nor weights of a
    teacher that has none yet."""
    results = list(RESULTS.glob("*.json"))
    teachers = [path for path in (TEACHERS / f"{result.stem}.safetensors" for result in results)
                if path.exists()]
    if results:
        keep([str(path) for path in (*results, *teachers)], "Results that were not committed yet")


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
