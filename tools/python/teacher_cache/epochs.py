"""Epochs of a student from a cache: which view is shown, and the proof that its pixels are right."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass
from typing import Optional, Sequence, Union

import numpy as np

from .datasets import ImageSet, load_train
from .errors import Mismatch, Missing, ReplayMismatch
from .reader import Cache
from .replay import ViewRenderer, pixel_hashes
from .views import PLAIN, STRONG, WEAK, ImageIds, View, ViewSet, image_ids


@dataclass
class EpochBatch:
    """Views of N images with what the teacher said about them."""

    pixels: np.ndarray  # N×H×W×3 uint8
    labels: np.ndarray  # N int64
    logits: np.ndarray  # N×C fp32
    features: dict[str, np.ndarray]  # by tap N×H×W×C fp32


class EpochViews:
    """One kind of view of the images of a cache, epoch by epoch.

    Which round an epoch e (from 0) shows is what `student-train` shows: weak round e mod N, every
    weak round there is with `weak:all`, and strong round (e + ⌊e / lcm(N, M)⌋) mod M. Every view's
    pixels are hashed and compared with what the teacher saw.
    """

    def __init__(
        self,
        cache: Union[Cache, str, os.PathLike],
        data: Union[ImageSet, str, os.PathLike],
        kind: str = "weak",
        *,
        taps: Sequence[str] = (),
        images: Optional[ImageIds] = None,
    ):
        """- data: the folder with the publisher's files, or the loaded images.
        - kind: `weak`, `strong` or `plain`.
        - taps: those whose features are given too; rounds without features are not shown then.
        - images: ids in the original training set, by default all of the cache.
        """
        self.cache = cache if isinstance(cache, Cache) else Cache(cache)
        identity = self.cache.identity
        source = data if isinstance(data, ImageSet) else load_train(identity.dataset, data)
        if source.content_hash != identity.datasetHash:
            raise Mismatch.of("datasetHash", source.content_hash, identity.datasetHash)
        count = source.labels.size
        self.images = self.cache.images if images is None else image_ids(images, count)
        self.taps = tuple(taps)
        self.renderer = ViewRenderer(source, identity.viewSeed)
        self._views = self._shared_views()
        weak = self._views.weak > 0 or self._views.crops
        there = {"plain": self._views.plain, "weak": weak, "strong": self._views.strong > 0}
        if kind not in there:
            raise ValueError(f'there is no kind "{kind}" of views; there are {", ".join(there)}')
        if not there[kind]:
            self._require_images()
            what = "".join(f" with features of {tap}" for tap in self.taps)
            raise Missing.of(f"{kind} views of all images{what}", self.cache.path)
        self._kind = {"plain": PLAIN, "weak": WEAK, "strong": STRONG}[kind]

    def view(self, epoch: int) -> View:
        """The view that every image is seen in, in an epoch from 0."""
        epoch = operator.index(epoch)
        if epoch < 0:
            raise ValueError(f"epoch {epoch}: epochs count from 0")
        weak, strong = self._views.weak, self._views.strong
        if self._kind == PLAIN:
            return View(PLAIN)
        if self._kind == WEAK:
            return View(WEAK, epoch if self._views.crops else epoch % weak)
        # Weak views never come round again under weak:all, so no pairing has to be shifted.
        shift = 0 if self._views.crops or weak == 0 else epoch // math.lcm(weak, strong)
        return View(STRONG, (epoch + shift) % strong)

    def batch(self, positions: ImageIds, epoch: int) -> EpochBatch:
        """The images `images[positions]` as an epoch shows them.

        ReplayMismatch names the first whose pixels are not those that the teacher saw.
        """
        ids, view = self.images[image_ids(positions)], self.view(epoch)
        pixels = self.renderer.render_batch(ids, view)
        found = pixel_hashes(pixels)
        rows = self.cache.read_batch(ids, view)
        _compare(ids, view, rows.pixel_hashes, found)
        features = {}
        for tap in self.taps:
            features[tap], hashes = self.cache.read_features(ids, view, tap)
            _compare(ids, view, hashes, found)
        return EpochBatch(pixels, rows.labels, rows.logits, features)

    def _require_images(self) -> None:
        """Missing names the first image of which the cache has nothing."""
        lost = np.flatnonzero(~np.isin(self.images, self.cache.images))
        if lost.size:
            raise Missing.of(f"image {self.images[lost[0]]}", self.cache.path)

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


def _compare(ids: np.ndarray, view: View, expected: np.ndarray, found: np.ndarray) -> None:
    wrong = np.flatnonzero(expected != found)
    if wrong.size:
        first = wrong[0]
        raise ReplayMismatch.of(int(ids[first]), view, int(expected[first]), int(found[first]))
