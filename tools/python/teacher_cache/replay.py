"""From a view to its pixels and their hash: a pure function of (images, view seed, view)."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
import xxhash

from .datasets import DatasetInfo, ImageSet
from .draws import Distortion, distortions, weak_crops
from .operations import apply, cut
from .views import CROP, PLAIN, STRONG, WEAK, AnyView, AnyViews, ImageIds, View
from .views import image_ids, view_codes, view_of_code


class ViewRenderer:
    """Makes the views of some images again."""

    def __init__(self, images: ImageSet, seed: int = 0):
        self.images = images
        self.seed = seed

    @property
    def info(self) -> DatasetInfo:
        return self.images.info

    def render(self, image: int, view: AnyView) -> np.ndarray:
        """The pixels H×W×3 uint8 of one view."""
        return self.render_batch([image], view)[0]

    def render_batch(self, images: ImageIds, views: AnyViews) -> np.ndarray:
        """The pixels N×H×W×3 uint8 of one view each of N images; `views` is one for all or one for
        each."""
        ids = image_ids(images, self.images.labels.size)
        codes = view_codes(views, ids.size)
        crops, changes = self._choices(ids, codes)
        output = np.zeros((ids.size, *self.images.pixels.shape[1:]), np.uint8)
        for number, image in enumerate(ids.tolist()):
            self._crop(image, int(crops[number]), output[number])
            change = changes[number]
            if change is not None:
                pixels = output[number]
                for name, magnitude in change.operations:
                    pixels = apply(name, magnitude, pixels)
                output[number] = cut(pixels, change.cutout)
        return output

    def resolve(self, image: int, view: AnyView) -> View:
        """The view under which the same pixels lie in a cache of all weak views."""
        found = View.of(view)
        if found.kind != WEAK:
            return found
        numbers = weak_crops(np.array([image]), np.array([found.round]), self.seed, self.info)
        return View(CROP, int(numbers[0]))

    def _choices(
        self, ids: np.ndarray, codes: np.ndarray
    ) -> tuple[np.ndarray, list[Optional[Distortion]]]:
        """The crop of each view (−1: the image itself), and what strong views do beyond."""
        kinds, rounds = codes >> 24, codes & 0xFFFFFF
        crops = np.where(kinds == PLAIN, -1, rounds)
        weak = np.flatnonzero(kinds == WEAK)
        crops[weak] = weak_crops(ids[weak], rounds[weak], self.seed, self.info)
        changes: list[Optional[Distortion]] = [None] * ids.size
        strong = np.flatnonzero(kinds == STRONG)
        if strong.size:
            drawn = distortions(ids[strong], rounds[strong], self.seed, self.info)
            for number, change in zip(strong.tolist(), drawn):
                crops[number], changes[number] = change.crop, change
        if (crops >= self.info.crops).any():
            wrong = view_of_code(codes[np.argmax(crops >= self.info.crops)])
            raise ValueError(
                f"{wrong}: images of {self.info.name} have the crops 0…{self.info.crops - 1}"
            )
        return crops, changes

    def _crop(self, image: int, number: int, output: np.ndarray) -> None:
        """Cuts a numbered crop out of the image with black around it, into zeros."""
        source, side, padding = self.images.pixels[image], self.info.side, self.info.padding
        if number < 0:
            output[:] = source
            return
        place, flip = divmod(number, 2) if self.info.flips else (number, 0)
        dy, dx = divmod(place, 2 * padding + 1)
        top, left = dy - padding, dx - padding
        target = output[:, ::-1] if flip else output
        target[max(0, -top) : side - max(0, top), max(0, -left) : side - max(0, left)] = source[
            max(0, top) : side - max(0, -top), max(0, left) : side - max(0, -left)
        ]


def pixel_hashes(pixels: np.ndarray) -> np.ndarray:
    """XXH3-64 of each of N×H×W×3 bytes: the replay proof."""
    whole = np.ascontiguousarray(pixels, np.uint8)
    return np.array([xxhash.xxh3_64_intdigest(view) for view in whole], np.uint64)


def normalize(
    pixels: np.ndarray, mean: Sequence[float], std: Sequence[float]
) -> np.ndarray:
    """(v/255 − mean)/std in fp32, bit-equal to torchvision's ToTensor and Normalize; the layout
    stays."""
    values = pixels.astype(np.float32) / np.float32(255)
    values -= np.asarray(mean, np.float32)
    values /= np.asarray(std, np.float32)
    return values
