"""What an experiment is: a command, what must be there before it, and the file that it leaves."""
import dataclasses
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

    def change(self):
        """An option that it was dumped with and that is another now; None without one."""
        return change(self.result, ["--views", self.views, *self.flags])


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

    @property
    def needs(self):
        """What must be there before it can start: caches and other experiments."""
        sources = [self.cache] if self.cache else []
        return sources + ([self.live] if isinstance(self.live, Experiment) else [])

    @property
    def result(self):
        return RESULTS / f"{self.name}.json"

    def change(self):
        """An option that its result was made with and that is another now; None without one."""
        return change(self.result, [*self.flags, "--seed", str(self.seed)])

    @property
    def weights(self):
        """Where the weights of one that teaches others are kept."""
        return TEACHERS / f"{self.name}.safetensors"


def replace(path, text):
    """Writes a file that readers find whole, as it was or as it is, whatever ends this process."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_text(text)
    temporary.replace(path)


def change(result, declared):
    """The first option whose value in a result's command is not that of the words `declared`."""
    places = {"--data", "--output", "--cache", "--threads", "--teacher", "--dataset"}
    now = options(declared)
    then = options(shlex.split(json.loads(result.read_text())["command"])[1:])
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
