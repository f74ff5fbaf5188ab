"""What the tests share: the project's files, the Swift programs, a small teacher and its caches."""

import atexit
import functools
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
PROJECT = PACKAGE.parents[1]
DIGITS = PROJECT / "data/mnist-5k"
PROGRAMS = PROJECT / ".build/release"
sys.path.insert(0, str(PACKAGE))

import numpy as np  # noqa: E402

import teacher_cache  # noqa: E402

# Ids of the embedded digits; they lie in different places of the training set.
IMAGES = [0, 7, 40, 3999]
# Codec and feature precision of each small cache, and its views.
CACHES = {
    "fp32": ("fp32", "fp32", "plain,weak:2,strong:2"),
    "fp16": ("fp16", "fp16", "plain,weak:2,strong:2"),
    "q8": ("q8", "q8", "plain,weak:2,strong:2"),
    # More rounds than a record has room for.
    "coarse": ("coarse", "fp16", "plain,weak:2,strong:34"),
}
TAPS = ("stage1", "stage2", "stage3")
FEATURE_VIEWS = "weak:2"

needs_programs = unittest.skipUnless(
    (PROGRAMS / "teacher-dump").exists() and (PROGRAMS / "student-train").exists(),
    "needs teacher-dump and student-train: swift build -c release",
)
needs_torch = unittest.skipUnless(importlib.util.find_spec("torch"), "needs torch")


def load_reference(name):
    """A module of tools/reference."""
    folder = str(PROJECT / "tools/reference")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def fixture(path):
    """A Swift test's fixture."""
    return json.loads((PROJECT / "Tests" / path).read_text())


def run(program, *arguments, expect=0):
    """What a Swift program prints to standard output and standard error."""
    done = subprocess.run(
        [str(PROGRAMS / program), *map(str, arguments)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != expect:
        raise AssertionError(f"{program} {arguments}: exit {done.returncode}\n{done.stderr}")
    return done.stdout, done.stderr


@functools.cache
def scratch():
    """A folder for the whole run."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="teacher-cache-tests-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@functools.cache
def image_list():
    path = scratch() / "images.txt"
    path.write_text("\n".join(map(str, IMAGES)) + "\n")
    return path


@functools.cache
def teacher_file():
    """The weights of a resnet8 after one short epoch."""
    run(
        "student-train", "--method", "ce", "--student", "resnet8", "--dataset", "mnist", "--data",
        DIGITS, "--subset", f"list:{image_list()}", "--epochs", 1, "--milestones", "none",
        "--output", scratch() / "teacher", "--quiet",
    )  # fmt: skip
    return scratch() / "teacher/last.safetensors"


def dump(path, views, *more, expect=0):
    """Makes or extends a cache with teacher-dump."""
    return run(
        "teacher-dump", "--dataset", "mnist", "--data", DIGITS, "--subset", f"list:{image_list()}",
        "--teacher", teacher_file(), "--views", views, "--cache", path, "--quiet", *more,
        expect=expect,
    )  # fmt: skip


@functools.cache
def cache_path(name):
    """A cache that teacher-dump made; `all` holds every weak view."""
    path = scratch() / f"dumped-{name}"
    if name == "all":
        dump(path, "weak:all")
    else:
        codec, precision, views = CACHES[name]
        dump(
            path, views, "--logits", codec, "--features", ",".join(TAPS), "--feature-views",
            FEATURE_VIEWS, "--feature-precision", precision,
        )  # fmt: skip
    return path


def copied(name):
    """A copy of such a cache that a test may damage."""
    path = pathlib.Path(tempfile.mkdtemp(dir=scratch())) / name
    shutil.copytree(cache_path(name), path)
    return path


@functools.cache
def digits():
    return teacher_cache.load_train("mnist", DIGITS)


def same_bits(left, right):
    """Whether two fp32 arrays are equal to the last bit."""
    left, right = np.asarray(left, np.float32), np.asarray(right, np.float32)
    return left.shape == right.shape and np.array_equal(left.view(np.uint32), right.view(np.uint32))


class Answers:
    """A teacher function that says what a cache holds, known by the hash of the pixels."""

    def __init__(self, cache):
        self.taps = {tap: (s.height, s.width, s.channels) for tap, s in cache.taps.items()}
        self.seen = 0
        self._logits, self._features = {}, {}
        for view in cache.views.views(25):
            rows = cache.read_batch(cache.images, view)
            features = {
                tap: cache.features_batch(cache.images, view, tap)
                for tap in self.taps
                if cache.holds(int(cache.images[0]), view, tap)
            }
            for i, pixel_hash in enumerate(rows.pixel_hashes.tolist()):
                self._logits[pixel_hash] = rows.logits[i]
                for tap, values in features.items():
                    self._features[pixel_hash, tap] = values[i]

    def __call__(self, pixels):
        self.seen += len(pixels)
        hashes = teacher_cache.pixel_hashes(pixels).tolist()
        features = {}
        for tap, shape in self.taps.items():
            nothing = np.zeros(shape, np.float32)
            values = [self._features.get((h, tap), nothing) for h in hashes]
            features[tap] = np.stack(values)
        return np.stack([self._logits[h] for h in hashes]), features


def writer(path, name, **changes):
    """A Writer of the same cache as `cache_path(name)`."""
    codec, precision, views = CACHES[name]
    settings = dict(
        views=views, taps=Answers(teacher_cache.open(cache_path("fp32"))).taps,
        feature_views=FEATURE_VIEWS, images=IMAGES, logits=codec, feature_precision=precision,
        teacher=teacher_cache.Teacher.of_file(teacher_file()),
    )  # fmt: skip
    return teacher_cache.Writer(path, "mnist", digits(), **{**settings, **changes})


class WritingCase(unittest.TestCase):
    """Fills a cache at `path` with what that of `cache_path("fp32")` says."""

    def setUp(self):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=scratch())) / "cache"
        self.answers = Answers(teacher_cache.open(cache_path("fp32")))

    def write(self, name, **changes):
        with writer(self.path, name, **changes) as filling:
            return filling.fill(self.answers, batch_size=7)

    def content_hash(self, path):
        return json.loads(run("teacher-dump", "info", path, "--json")[0])["content_hash"]

    def verified(self, *more):
        output, _ = run(
            "teacher-dump", "verify", self.path, "--data", DIGITS, "--all", "--json", *more
        )
        return json.loads(output)
