"""Reads, replays and writes the teacher caches of `teacher-dump` and `student-train`.

    cache = teacher_cache.open("caches/r56")
    cache.logits(7, "weak:3")                    # fp32, one for each class
    cache.features(7, "weak:0", "stage3")        # fp32 H×W×C
    cache.logits_batch([7, 8, 9], "strong:0")    # fp32 N×C

`Dataset` gives a PyTorch student an epoch's images, labels and teacher outputs and proves by hash
that the pixels are those that the teacher saw; `Writer` fills a cache from a teacher that runs in
Python.
"""

from .datasets import DATASETS, DatasetInfo, ImageSet, load_train
from .epochs import EpochBatch, EpochViews
from .errors import (
    CacheError,
    Corrupt,
    DatasetError,
    DiskFull,
    Locked,
    LostUnit,
    Mismatch,
    Missing,
    NetworkFileSystem,
    NoManifest,
    NoPermission,
    NotACache,
    ReplayMismatch,
    Truncated,
    Unstorable,
    WrongVersion,
)
from .identity import CacheIdentity
from .logits import StoredRows
from .reader import Cache
from .replay import ViewRenderer, normalize, pixel_hashes
from .unit_writer import UnitWriter
from .views import View, ViewSet
from .weights import Teacher, weight_hash
from .writer import Writer


def open(path) -> Cache:
    """Opens the cache at `path`; its units are opened when they are first read from."""
    return Cache(path)


def __getattr__(name: str):
    """What needs PyTorch is imported when it is first asked for."""
    if name == "Dataset":
        from .training import Dataset

        return Dataset
    if name == "torch_teacher":
        from .teachers import torch_teacher

        return torch_teacher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
