"""What the benchmark runs on and with: processor, build, the peers' Python, the allocator."""
import glob
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import venv

from .processes import BenchmarkError, Contestant, note, run_program

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCRATCH = PROJECT / ".build" / "bench"
PEERS = PROJECT / "tools" / "benchmark" / "peers"


class Bench:
    """Builds what is measured, finds the peers, starts contestants of both kinds."""

    def __init__(self, threads, python=None, build=True):
        self.threads = threads
        self.load = os.getloadavg()[0]  # of others: the build below is our own
        if build:
            note("building")
            # As tools/test builds it, so that neither makes the other build again; the one test of
            # these is skipped.
            run_program(["swift", "test", "--package-path", str(PROJECT), "-c", "release",
                         "--filter", "BenchmarkTests"])
        programs = PROJECT / ".build" / "release"
        self.tests = programs / "teacher-cachePackageTests.xctest"
        self.teacher_dump = programs / "teacher-dump"
        self.student_train = programs / "student-train"
        for file in (self.tests, self.teacher_dump, self.student_train):
            if not file.exists():
                raise BenchmarkError(f"{file} is missing; leave out --no-build")
        self.python = python or peer_python()
        self.tcmalloc = find_tcmalloc()
        SCRATCH.mkdir(parents=True, exist_ok=True)

    def ours(self, name, **job):
        """A contestant of Tests/Benchmarks."""
        job.setdefault("threads", self.threads)
        return Contestant(name, [str(self.tests), *TEST_ARGUMENTS],
                          {"TEACHER_CACHE_BENCH": json.dumps(job)})

    def ours_once(self, **job):
        """What a job says that has no rounds."""
        contestant = self.ours(job["mode"], **job)
        return contestant.finish()["RESULT"]

    def peer(self, name, script, **job):
        """A contestant of tools/benchmark/peers; PyTorch gets the allocator that it is fastest with."""
        job.setdefault("threads", self.threads)
        threads = str(job["threads"])
        environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if script.startswith("torch_"):
            environment["LD_PRELOAD"] = self.tcmalloc
        return Contestant(name, [str(self.python), str(PEERS / script), json.dumps(job)],
                          environment)

    def peer_once(self, script, **job):
        text, *_ = run_program([str(self.python), str(PEERS / script), json.dumps(job)])
        return text

    def peer_networks(self):
        """The networks that tools/reference/torch_models defines."""
        return json.loads(self.peer_once("torch_step.py", mode="networks"))

    def describe(self):
        """The machine and the versions, for the head of the report."""
        ours = self.ours_once(mode="machine")
        versions = json.loads(self.peer_once("torch_step.py", mode="versions"))
        return {
            "processor": processor(), "processors": os.cpu_count(), "threads": self.threads,
            "load_at_start": round(self.load, 2), "kernel_level": ours["kernel_level"],
            "system": platform.platform(), "commit": commit(), "tcmalloc": self.tcmalloc,
            "peers": versions, "networks": ours["networks"],
        }


TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
TEST_ARGUMENTS = ["--testing-library", "swift-testing", "--filter", "BenchmarkTests"]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def commit():
    if not shutil.which("git"):
        return None
    found = subprocess.run(["git", "-C", str(PROJECT), "describe", "--always", "--dirty"],
                           capture_output=True, text=True)
    return found.stdout.strip() or None


def find_tcmalloc():
    """PyTorch allocates afresh in every step; with glibc's allocator it is a quarter slower."""
    for pattern in ("/usr/lib/*/libtcmalloc_minimal.so.4", "/usr/lib*/libtcmalloc_minimal.so.4"):
        for path in glob.glob(pattern):
            return path
    run_program([str(PROJECT / "tools" / "prepare"), "libtcmalloc-minimal4"])
    found = glob.glob("/usr/lib/*/libtcmalloc_minimal.so.4")
    if not found:
        raise BenchmarkError("libtcmalloc_minimal.so.4 is missing; install libtcmalloc-minimal4")
    return found[0]


def peer_python():
    """A Python of our own under .build with the peers, installed once."""
    requirements = PROJECT / "tools" / "benchmark" / "requirements.txt"
    folder = PROJECT / ".build" / "bench-python"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = folder / "installed"
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        note("installing the peers into .build/bench-python (once; some hundred megabytes)")
        try:
            venv.create(folder, with_pip=True, clear=True)
        except subprocess.CalledProcessError as error:
            raise BenchmarkError("a virtual environment cannot be made; install python3-venv") \
                from error
        install = [str(python), "-m", "pip", "install", "--quiet"]
        torch = next(line for line in requirements.read_text().split() if line.startswith("torch=="))
        # This index has PyTorch without its CUDA libraries, gigabytes that are of no use here.
        run_program([*install, "--no-deps", "--extra-index-url", TORCH_INDEX, torch])
        run_program([*install, "-r", str(requirements)])
        stamp.write_text(wanted)
    return python
