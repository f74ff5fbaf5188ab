"""Runs experiments, several at a time, and keeps what they gave."""
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import shlex
import shutil
import signal
import subprocess
import threading

from .experiment import PROJECT, RESULTS, Experiment

FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}


class ReproductionError(Exception):
    pass


class Runner:
    def __init__(self, options, by_name):
        self.options = options
        self.by_name = by_name
        self.threads = max(1, (os.cpu_count() or 1) // options.parallel)
        self.programs = PROJECT / ".build" / "release"
        self.locks = {}
        self.git = threading.Lock()
        self.running = set()
        self.is_stopping = False

    def run(self, experiments):
        for program in ("student-train", "teacher-dump"):
            if not (self.programs / program).exists():
                raise ReproductionError(f"{program} is not built; run swift build -c release")
        todo = [e for e in experiments if not e.result.exists()]
        print(f"{len(experiments) - len(todo)} of {len(experiments)} experiments are done")
        failures = []
        with concurrent.futures.ThreadPoolExecutor(self.options.parallel) as pool:
            futures = [pool.submit(self.guarded, e) for e in todo]
            try:
                for future in concurrent.futures.as_completed(futures):
                    if future.exception():
                        failures.append(str(future.exception()))
                        print(failures[-1], flush=True)
            except KeyboardInterrupt:
                self.is_stopping = True
                for process in list(self.running):
                    process.send_signal(signal.SIGINT)
                raise
        if failures:
            raise ReproductionError(f"{len(failures)} experiments failed; the first: {failures[0]}")

    def guarded(self, experiment):
        if not self.is_stopping:
            self.finish(experiment)

    def finish(self, experiment):
        """Runs the experiment, or waits for another that is running it."""
        with self.lock(experiment.name):
            if experiment.result.exists():
                return
            output = self.options.work / "runs" / experiment.name
            command = self.command(experiment, output)
            print(f"{now():%H:%M} {experiment.name}", flush=True)
            self.call(command, self.options.work / "logs" / f"{experiment.name}.log")
            if experiment.keeps_weights:
                experiment.weights.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(output / "last.safetensors", experiment.weights)
            self.keep(experiment, output, command)

    def command(self, e, output):
        command = [str(self.programs / "student-train"), "--data", str(self.data(e.dataset)),
                   *e.flags, "--seed", str(e.seed), "--threads", str(self.threads),
                   "--output", str(output)]
        if e.cache:
            return command + ["--cache", str(self.made(e.cache))]
        command += ["--dataset", e.dataset]
        return command + (["--teacher", str(self.teacher(e.live))] if e.live else [])

    def made(self, cache):
        """The folder of a cache that holds what experiments ask of it."""
        folder = self.options.work / "caches" / cache.name
        with self.lock(cache.name):
            if not (folder / "complete").exists():
                print(f"{now():%H:%M} cache {cache.name}", flush=True)
                self.call([
                    str(self.programs / "teacher-dump"), "--dataset", cache.dataset, "--data",
                    str(self.data(cache.dataset)), "--teacher", str(self.teacher(cache.teacher)),
                    "--views", cache.views, *cache.flags, "--threads", str(self.threads),
                    "--cache", str(folder)], self.options.work / "logs" / f"{cache.name}.log")
                (folder / "complete").touch()
        return folder

    def teacher(self, teacher):
        """The weight file of a teacher, trained first if it is one of ours."""
        if isinstance(teacher, Experiment):
            self.finish(teacher)
            return teacher.weights
        if not pathlib.Path(teacher).exists():
            raise ReproductionError(
                f"there is no {teacher}; give the folder of the published weights as --weights")
        return teacher

    def data(self, dataset):
        folder = self.options.data / FOLDERS[dataset]
        if not folder.exists():
            raise ReproductionError(
                f"there is no {folder}; run tools/get-data {dataset}, or give --data")
        return folder

    def lock(self, name):
        return self.locks.setdefault(name, threading.Lock())

    def call(self, command, log):
        if self.is_stopping:
            raise ReproductionError("stopped")
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as file:
            # A session of its own: Ctrl-C reaches the programs once, through us.
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
            self.running.add(process)
            status = process.wait()
            self.running.discard(process)
        if status != 0:
            raise ReproductionError(f"{shlex.join(command)} ended with {status}; see {log}")

    def keep(self, experiment, output, command):
        """Writes data/results/NAME.json and commits it."""
        curve = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        summary = json.loads((output / "summary.json").read_text())
        result = {
            "name": experiment.name, "family": experiment.family, "title": experiment.title,
            "dataset": experiment.dataset, "seed": experiment.seed,
            "command": shlex.join(self.shortened(command)), "summary": summary, "curve": curve,
            "machine": machine(self.threads), "finished": f"{now():%Y-%m-%d %H:%M} UTC",
            "commit": git("rev-parse", "--short=12", "HEAD"),
        }
        RESULTS.mkdir(parents=True, exist_ok=True)
        temporary = experiment.result.with_suffix(".part")
        temporary.write_text(json.dumps(result, indent=1) + "\n")
        temporary.replace(experiment.result)
        print(f"{now():%H:%M} {experiment.name}: {summary['test_top1_last']:.2f} %", flush=True)
        if not self.options.no_commit:
            with self.git:
                files = [str(experiment.result)]
                if experiment.keeps_weights:
                    files.append(str(experiment.weights))
                git("add", "--", *files)
                git("commit", "--quiet", "-m", f"Result of {experiment.name}", "--", *files)

    def shortened(self, command):
        """The command with names in place of this machine's paths."""
        places = [(str(self.programs) + "/", ""), (str(self.options.work), "WORK"),
                  (str(self.options.weights), "WEIGHTS"), (str(self.options.data), "DATA"),
                  (str(PROJECT) + "/", "")]
        for index, word in enumerate(command):
            for path, name in places:
                word = word.replace(path, name)
            command[index] = word
        return command


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def git(*arguments):
    return subprocess.run(["git", "-C", str(PROJECT), *arguments], check=True, text=True,
                          capture_output=True).stdout.strip()


def machine(threads):
    """What the times of a run are worth."""
    model = platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    return {"processor": model, "cores": os.cpu_count(), "threads": threads}
