"""What an experiment is: a command, what must be there before it, and the file that it leaves."""
import dataclasses
import fnmatch
import json
import os
import pathlib
import shlex

PROJECT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = PROJECT / "data" / "results"
TEACHERS = PROJECT / "data" / "results" / "teachers"


class ReproductionError(Exception):
    """Why an experiment or its table cannot be made."""


@dataclasses.dataclass
class Cache:
    """A cache that experiments read; made when the first of them needs it."""
    name: str
    teacher: object          # an Experiment whose student it is, or a weight file
    dataset: str
    views: str
    flags: tuple = ()        # of teacher-dump

    @property
    def result(self):
        return RESULTS / f"cache-{self.name}.json"

    @property
    def needs(self):
        return [self.teacher] if isinstance(self.teacher, Experiment) else []

    @property
    def request(self):
        """What it is asked to hold, in the words of teacher-dump."""
        return ["--dataset", self.dataset, "--views", self.views, *self.flags]

    def change(self):
        """An option that it was dumped with and that is another now; None without one."""
        return change(self.result, self.request)


@dataclasses.dataclass
class Experiment:
    """One run of student-train."""
    name: str
    family: str
    title: str               # the row of its table
    dataset: str
    flags: tuple
    seed: int = 0
    cache: Cache = None
    live: object = None      # a weight file, where the teacher runs beside the student
    published: str = ""      # what the paper or its authors say, with the source
    keeps_weights: bool = False
    is_background: bool = False
    is_tuning: bool = False  # decides a setting; no row of a table

    def matches(self, pattern):
        """Whether a pattern of --only means it. The published lengths take hours and want to be named:
        a pattern that only takes them in, as *-s0 does, means the others."""
        is_named = not self.is_background or "full" in pattern
        return is_named and fnmatch.fnmatch(self.name, pattern)

    @property
    def needs(self):
        """What must be there before it can start: caches and other experiments."""
        sources = [self.cache] if self.cache else []
        return sources + ([self.live] if isinstance(self.live, Experiment) else [])

    @property
    def result(self):
        return RESULTS / f"{self.name}.json"

    def change(self):
        """An option, or the cache, that its result was made with and that is another now; None without
        one."""
        if self.cache and self.cache.result.exists():
            then = read(self.result).get("summary", {}).get("cache_id")
            now = read(self.cache.result)["info"]["cache_id"]
            if then != now:
                return f"the cache {then}, now {now}"
        return change(self.result, [*self.flags, "--seed", str(self.seed)])

    @property
    def weights(self):
        """Where the weights of one that teaches others are kept."""
        return TEACHERS / f"{self.name}.safetensors"


def replace(path, text):
    """Writes a file that readers find whole, as it was or as it is, whatever ends this process."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read(result):
    """What a file of results says."""
    try:
        return json.loads(result.read_text())
    except ValueError as error:
        raise ReproductionError(f"{result} is damaged ({error}); take it from git, or delete it to run "
                                "its experiment again") from None


def change(result, declared):
    """The first option whose value in a result's command is not that of the words `declared`."""
    places = {"--data", "--output", "--cache", "--threads", "--teacher", "--dataset"}
    now = options(declared)
    then = options(shlex.split(read(result)["command"])[1:])
    for option in {**then, **now}:
        if option not in places and now.get(option) != then.get(option):
            return f"{option} {then.get(option, 'left out')}, now {now.get(option, 'left out')}"
    return None


def options(words):
    """The values of options by their names; each --set has the name of its key, a flag is "given"."""
    values = {}
    for name, value in zip(words, [*words[1:], "--"]):
        if value.startswith("--"):
            value = "given"
        if name == "--set":
            key, _, value = value.partition("=")
            name = f"--set {key}"
        if name.startswith("--"):
            values[name] = value
    return values
