"""Which unit of a manifest holds which view of which image."""

from __future__ import annotations

from typing import Optional

import numpy as np

from .datasets import DATASETS
from .draws import weak_crops
from .errors import Missing
from .manifest import Manifest, ViewRanges
from .views import CROP, PLAIN, STRONG, WEAK, View, ViewSet, view_of_code


class Lookup:
    """Answers from the manifest alone; no unit is opened.

    Views are codes (`views.view_codes`); with a tap the question is about its features, without
    about logits.
    """

    def __init__(self, manifest: Manifest, path: str):
        self._manifest = manifest
        self._path = path
        self._tables: dict[tuple[int, ...], np.ndarray] = {}
        self._table_of: dict[tuple[int, Optional[str]], np.ndarray] = {}

    def images(self) -> np.ndarray:
        """Ids of the images of which anything is stored, ascending."""
        parts = [unit.images.numbers() for unit in self._manifest.units]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

    def stored_views(self, tap: Optional[str] = None) -> list[View]:
        """Views that some image has, in stable order."""
        return sorted({view for ranges in self._ranges(tap) for view in ranges.views()})

    def view_set(self, images: np.ndarray, tap: Optional[str] = None) -> ViewSet:
        """The views that all of `images` have: rounds count from 0 without a gap."""
        stored = self.stored_views(tap) if images.size else []
        held = {view for view in stored if (self.units(images, view.code, tap) >= 0).all()}

        def rounds(kind: int) -> int:
            count = 0
            while View(kind, count) in held:
                count += 1
            return count

        crops = max((view.round + 1 for view in stored if view.kind == CROP), default=0)
        all_crops = 0 < crops == rounds(CROP)
        return ViewSet(View(PLAIN) in held, rounds(WEAK), rounds(STRONG), all_crops)

    def units(self, images: np.ndarray, code: int, tap: Optional[str] = None) -> np.ndarray:
        """The number of the first unit that holds a view of each image, −1 where none does."""
        table = self._table(code, tap)
        inside = (images >= 0) & (images < table.size)
        found = np.full(images.size, -1, np.int64)
        found[inside] = table[images[inside]]
        return found

    def find(
        self, images: np.ndarray, codes: np.ndarray, tap: Optional[str] = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where one view each of some images lies: record keys (u64) and numbers of units.

        A weak round that is not stored as itself lies where the crop lies that it draws. Missing
        names the first view that is not there.
        """
        holders = self._each(images, codes, tap)
        weak = np.flatnonzero((holders < 0) & (codes >> 24 == WEAK))
        stored = codes
        if weak.size and any(CROP in ranges.kinds for ranges in self._ranges(tap)):
            identity = self._manifest.identity
            info = DATASETS[identity.dataset]
            rounds = codes[weak] & 0xFFFFFF
            stored = codes.copy()
            stored[weak] = CROP << 24 | weak_crops(images[weak], rounds, identity.viewSeed, info)
            holders[weak] = self._each(images[weak], stored[weak], tap)
        lost = np.flatnonzero(holders < 0)
        if lost.size:
            what = "logits of" if tap is None else f"features of {tap} for"
            view = view_of_code(codes[lost[0]])
            raise Missing.of(f"{what} image {images[lost[0]]}, {view}", self._path)
        return images.astype(np.uint64) << np.uint64(32) | stored.astype(np.uint64), holders

    def _ranges(self, tap: Optional[str]) -> list[ViewRanges]:
        units = self._manifest.units
        if tap is None:
            return [unit.logits for unit in units]
        found = (unit.feature_views(tap) for unit in units)
        return [ranges for ranges in found if ranges is not None]

    def _each(self, images: np.ndarray, codes: np.ndarray, tap: Optional[str]) -> np.ndarray:
        holders = np.full(images.size, -1, np.int64)
        for code in np.unique(codes).tolist():
            here = np.flatnonzero(codes == code)
            holders[here] = self.units(images[here], code, tap)
        return holders

    def _table(self, code: int, tap: Optional[str]) -> np.ndarray:
        """By image id the number of a unit; shared by views that the same units hold."""
        if (code, tap) not in self._table_of:
            view, units = view_of_code(code), self._manifest.units
            holding = tuple(n for n, unit in enumerate(units) if unit.holds(view, tap))
            if holding not in self._tables:
                size = max((units[n].images.ranges[-1][1] + 1 for n in holding), default=0)
                table = np.full(size, -1, np.int32)
                for number in reversed(holding):
                    for first, last in units[number].images.ranges:
                        table[first : last + 1] = number
                self._tables[holding] = table
            self._table_of[code, tap] = self._tables[holding]
        return self._table_of[code, tap]
