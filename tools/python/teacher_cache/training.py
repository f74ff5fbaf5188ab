"""Epochs of a student in PyTorch, from a cache."""

from __future__ import annotations

import os
from typing import Any, Optional, Sequence, Union

import numpy as np
import torch

from .datasets import ImageSet
from .epochs import EpochViews
from .reader import Cache
from .replay import normalize
from .views import ImageIds, View


class Dataset(torch.utils.data.Dataset):
    """The images of a cache as one kind of view, with what the teacher said about them.

    An item is (image 3×H×W fp32, label, logits C fp32) or, with taps, (image, label, logits,
    {tap: C×H×W fp32}). Item i is image `images[i]`, in the round that `EpochViews` shows, and
    proved as there: ReplayMismatch names the first that is not what the teacher saw.

        data = teacher_cache.Dataset("caches/r56", "data")
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
        """- data, kind, taps, images: as for `EpochViews`.
        - mean, std: the student's normalisation for v/255, by default the data set's constants.
        """
        self.epochs = EpochViews(cache, data, kind, taps=taps, images=images)
        info = self.epochs.renderer.info
        self._mean = info.mean if mean is None else mean
        self._std = info.std if std is None else std
        # Shared memory, so that workers that live on see it too.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # that of a copy is not shared yet

    @property
    def cache(self) -> Cache:
        return self.epochs.cache

    @property
    def images(self) -> np.ndarray:
        return self.epochs.images

    @property
    def view(self) -> View:
        """The view that every image is seen in."""
        return self.epochs.view(int(self._epoch))

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0, whose views are given; before the loader's iterator begins."""
        self.epochs.view(epoch)  # refuses what is no epoch
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return int(self.images.size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, ...]]:
        """The items of a batch, read and decoded together."""
        batch = self.epochs.batch(indices, int(self._epoch))
        inputs = _planes(normalize(batch.pixels, self._mean, self._std))
        columns: list[Any] = [inputs, batch.labels.tolist(), torch.from_numpy(batch.logits)]
        if batch.features:
            maps = {tap: _planes(values) for tap, values in batch.features.items()}
            columns.append([{tap: maps[tap][i] for tap in maps} for i in range(len(indices))])
        return list(zip(*columns))


def _planes(values: np.ndarray) -> torch.Tensor:
    """N×H×W×C as a tensor N×C×H×W."""
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
