"""Epochs of a student in PyTorch, from a cache."""

from __future__ import annotations

import math
import os
from typing import Any, Optional, Sequence, Union

import numpy as np
import torch

from .datasets import ImageSet, load_train
from .errors import Mismatch, Missing, ReplayMismatch
from .reader import Cache
from .replay import ViewRenderer, normalize, pixel_hashes
from .views import PLAIN, STRONG, WEAK, ImageIds, View, ViewSet


class Dataset(torch.utils.data.Dataset):
    """The images of a cache as one kind of view, with what the teacher said about them.

    An item is (image 3×H×W fp32, label, logits C fp32) or, with taps, (image, label, logits,
    {tap: C×H×W fp32}). Item i is image `images[i]`. Every view's pixels are hashed and compared
    with what the teacher saw; ReplayMismatch names the first that differs.

    Which round an epoch e (from 0) shows is what `student-train` shows: weak round e mod N, every
    weak round there is with `weak:all`, and strong round (e + ⌊e / lcm(N, M)⌋) mod M.

        data = teacher_cache.Dataset("caches/r56", "data/cifar100")
        loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True, num_workers=2)
        for epoch in range(240):
            data.set_epoch(epoch)
            for image, label, logits in loader:
                ...

    For a method with two kinds of views, `torch.utils.data.StackDataset` joins two of these.
    """

    def __init__(
        self,
        cache: Union[Cache, str, os.PathLike],
        data: Union[ImageSet, str, os.PathLike],
        kind: str = "weak",
        *,
        taps: Sequence[str] = (),
        images: Optional[ImageIds] = None,
        mean: Optional[Sequence[float]] = None,
        std: Optional[Sequence[float]] = None,
    ):
        """- data: the folder with the publisher's files, or the loaded images.
        - kind: `weak`, `strong` or `plain`.
        - taps: those whose features are given too; rounds without features are not shown then.
        - images: ids in the original training set, by default all of the cache.
        - mean, std: the student's normalisation for v/255, by default the data set's constants.
        """
        self.cache = cache if isinstance(cache, Cache) else Cache(cache)
        identity = self.cache.identity
        source = data if isinstance(data, ImageSet) else load_train(identity.dataset, data)
        if source.content_hash != identity.datasetHash:
            raise Mismatch("datasetHash", source.content_hash, identity.datasetHash)
        self.images = self.cache.images if images is None else np.asarray(images, np.int64)
        self.taps = tuple(taps)
        self._renderer = ViewRenderer(source, identity.viewSeed)
        self._mean = source.info.mean if mean is None else mean
        self._std = source.info.std if std is None else std
        self._kind = {"plain": PLAIN, "weak": WEAK, "strong": STRONG}[kind]
        self._views = self._shared_views()
        if not (self._views.plain, self._rounds(), self._views.strong)[self._kind]:
            what = "".join(f" with features of {tap}" for tap in self.taps)
            raise Missing(f"{kind} views of all images{what}", self.cache.path)
        # Shared memory, so that workers that live on see it too.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0, whose views are given; before the loader's iterator begins."""
        self._epoch.fill_(epoch)

    @property
    def view(self) -> View:
        """The view that every image is seen in."""
        epoch, weak, strong = int(self._epoch), self._views.weak, self._views.strong
        if self._kind == PLAIN:
            return View(PLAIN)
        if self._kind == WEAK:
            return View(WEAK, epoch if self._views.crops else epoch % weak)
        # Weak views never come round again under weak:all, so no pairing has to be shifted.
        shift = 0 if self._views.crops or weak == 0 else epoch // math.lcm(weak, strong)
        return View(STRONG, (epoch + shift) % strong)

    def __len__(self) -> int:
        return int(self.images.size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, ...]]:
        """The items of a batch, read and decoded together."""
        ids, view = self.images[np.asarray(indices, np.int64)], self.view
        pixels = self._renderer.render_batch(ids, view)
        found = pixel_hashes(pixels)
        rows = self.cache.read_batch(ids, view)
        self._compare(ids, view, rows.pixel_hashes, found)
        planes = normalize(pixels, self._mean, self._std).transpose(0, 3, 1, 2)
        inputs = torch.from_numpy(np.ascontiguousarray(planes))
        columns: list[Any] = [inputs, rows.labels.tolist(), torch.from_numpy(rows.logits)]
        if self.taps:
            features = {}
            for tap in self.taps:
                values, hashes = self.cache.read_features(ids, view, tap)
                self._compare(ids, view, hashes, found)
                features[tap] = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
            columns.append([{tap: f[i] for tap, f in features.items()} for i in range(ids.size)])
        return list(zip(*columns))

    def _rounds(self) -> int:
        return self._views.weak or int(self._views.crops)

    def _shared_views(self) -> ViewSet:
        """The views whose logits, and features of every tap, all images have."""
        views = self.cache.view_set(self.images)
        for tap in self.taps:
            other = self.cache.view_set(self.images, tap)
            views = ViewSet(
                views.plain and other.plain, min(views.weak, other.weak),
                min(views.strong, other.strong), views.crops and other.crops,
            )  # fmt: skip
        return views

    @staticmethod
    def _compare(ids: np.ndarray, view: View, expected: np.ndarray, found: np.ndarray) -> None:
        wrong = np.flatnonzero(expected != found)
        if wrong.size:
            first = wrong[0]
            raise ReplayMismatch(int(ids[first]), view, int(expected[first]), int(found[first]))
