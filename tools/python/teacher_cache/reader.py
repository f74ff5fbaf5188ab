"""A cache open for reading."""

from __future__ import annotations

import os
from typing import Any, Iterator, Optional, Sequence, Union

import numpy as np

from .account import split_levels
from .content import ContentSum
from .errors import Corrupt, LostUnit, MalformedRecord, Missing, NoPermission
from .features import decode_features
from .identity import STEPS, CacheIdentity
from .logits import StoredRows, decode_views
from .lookup import Lookup
from .manifest import Manifest, TapShape, UnitEntry
from .records import BLOCK, open_record
from .units import Unit, open_unit, unfinished_units
from .views import (
    KINDS,
    AnyView,
    AnyViews,
    ImageIds,
    View,
    ViewSet,
    image_ids,
    view_codes,
    view_of_code,
)

# What is decoded at once should stay in a core's nearest caches.
_LOGITS_AT_ONCE = 8192
_RECORDS_AT_ONCE = 64


class Cache:
    """What a teacher said about the views of images.

    Views are texts such as `weak:3`. A weak round that is not stored as itself is read as the crop
    that it draws, where that is stored (`weak:all`). Units are opened by the process that reads,
    so an object may be inherited by or sent to the workers of a DataLoader. Every record's
    checksum is compared before it is decoded.
    """

    def __init__(self, path: Union[str, os.PathLike]):
        # Absolute, for workers that begin elsewhere.
        self.path = os.path.abspath(os.path.expanduser(path))
        self.manifest = Manifest.read(self.path)
        try:
            _, lost = self.manifest.without_lost(self.path)
        except PermissionError as error:
            raise NoPermission.of(self.path) from error
        if lost:
            raise LostUnit.of(self.path, lost[0].path, lost[0].held)
        self._begin()

    def _begin(self) -> None:
        self._lookup = Lookup(self.manifest, self.path)
        self._process = os.getpid()
        self._units: dict[int, Unit] = {}

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the units' files; reading opens them again."""
        self._units.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "manifest": self.manifest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self.manifest = state["path"], state["manifest"]
        self._begin()

    def __repr__(self) -> str:
        return f"<teacher_cache.Cache {self.path!r}: {self.identity.dataset}, {self.views}>"

    @property
    def identity(self) -> CacheIdentity:
        """What the cache's numbers depend on."""
        return self.manifest.identity

    @property
    def images(self) -> np.ndarray:
        """Ids of the images of which anything is stored, ascending."""
        return self._lookup.images()

    @property
    def views(self) -> ViewSet:
        """The views whose logits every image of the cache has."""
        return self.view_set()

    @property
    def taps(self) -> dict[str, TapShape]:
        """The taps of which features are stored, with their shapes."""
        return {shape.tap: shape for unit in self.manifest.units for shape, _ in unit.features}

    def view_set(
        self, images: Optional[ImageIds] = None, tap: Optional[str] = None
    ) -> ViewSet:
        """The views whose logits (with a tap: features) all of `images` have, by default all
        images of the cache; rounds count from 0 without a gap."""
        ids = self.images if images is None else image_ids(images)
        return self._lookup.view_set(ids, tap)

    def holds(self, image: int, view: AnyView, tap: Optional[str] = None) -> bool:
        """Whether logits, or features of a tap, are stored for a view under its own name."""
        return bool(self._lookup.units(np.array([image]), View.of(view).code, tap)[0] >= 0)

    @property
    def content_hash(self) -> str:
        """The content of all units: the same however the work was cut, interrupted or merged."""
        sums = (ContentSum.of_hex(unit.content) for unit in self.manifest.units)
        return sum(sums, ContentSum()).content_hash

    @property
    def info(self) -> dict[str, Any]:
        """Figures about the whole cache, those of `teacher-dump info --json` under their names there
        except `teacher_top1`, for which all logits have to be decoded."""
        units, identity = self.manifest.units, self.identity
        records = sum(unit.records for unit in units)
        views = set(self._lookup.stored_views())
        for tap in self.taps:
            views.update(self._lookup.stored_views(tap))
        kinds = [KINDS[view.kind] for view in views]
        largest_error = max((unit.logit_error for unit in units), default=0.0)
        step = STEPS.get(identity.logits)
        logit_bytes = sum(self._logit_bytes(number) for number in range(len(units)))
        per_view = logit_bytes / records if records else 0.0
        return {
            "cache_id": identity.cache_id,
            "content_hash": self.content_hash,
            "fingerprint": identity.fingerprint,
            "dataset": identity.dataset,
            "images": int(self.images.size),
            "classes": identity.classes,
            "views": {name: kinds.count(name) for name in sorted(set(kinds))},
            "records": records,
            "feature_records": sum(unit.feature_records for unit in units),
            "unfinished_units": len(unfinished_units(self.path, units)),
            "bytes": sum(unit.bytes for unit in units),
            "logit_codec": identity.logits,
            "logit_bytes_per_view": per_view,
            "logit_ratio": identity.classes * 4 / per_view if records else 0.0,
            "logit_error_bound": largest_error if step is None else step / 2,
            "largest_logit_error": largest_error,
            "gradient_error": _gradient_error(units),
            "teacher_architecture": identity.teacherArchitecture,
            "teacher_weights": identity.teacherWeights,
            "view_seed": str(identity.viewSeed),
            "kernel_levels": sorted(
                set().union(*(split_levels(unit.kernel_level) for unit in units))
            ),
            "units": [
                {
                    "path": unit.path,
                    "images": str(unit.images),
                    "records": unit.records,
                    "feature_records": unit.feature_records,
                    "bytes": unit.bytes,
                    "sha256": unit.sha256,
                    "kernel_level": unit.kernel_level,
                }
                for unit in units
            ],
        }

    def logits(self, image: int, view: AnyView) -> np.ndarray:
        """The teacher's logits: fp32, one for each class."""
        return self.read_batch([image], view).logits[0]

    def features(self, image: int, view: AnyView, tap: str) -> np.ndarray:
        """The teacher's features at a tap: fp32 H×W×C."""
        return self.read_features([image], view, tap)[0][0]

    def confidence(self, image: int, view: AnyView) -> float:
        """Max softmax of the teacher's logits at temperature 1, an fp32 number."""
        return float(self.read_batch([image], view).confidences[0])

    def pixel_hash(self, image: int, view: AnyView) -> int:
        """XXH3-64 of the H×W×3 bytes that the teacher saw; in hex as Swift prints it:
        `f"{hash:016x}"`."""
        return int(self.read_batch([image], view).pixel_hashes[0])

    def label(self, image: int) -> int:
        """The class of an image, from any record of its logits."""
        return int(self.labels([image])[0])

    def labels(self, images: Optional[ImageIds] = None) -> np.ndarray:
        """The classes N int64 of N images, by default all of the cache, in the order of `images`;
        from any record of their logits."""
        ids = self.images if images is None else image_ids(images)
        found = np.full(ids.size, -1, np.int64)
        for unit in self.manifest.units:
            here = np.flatnonzero((found < 0) & np.isin(ids, unit.images.numbers()))
            if len(unit.logits) and here.size:
                found[here] = self.read_batch(ids[here], unit.logits.views()[0]).labels
        if (found < 0).any():
            raise Missing.of(f"logits of image {ids[np.argmax(found < 0)]}", self.path)
        return found

    def logits_batch(self, images: ImageIds, views: AnyViews) -> np.ndarray:
        """Logits N×C fp32 of one view each of N images; `views` is one for all or one for each."""
        return self.read_batch(images, views).logits

    def features_batch(self, images: ImageIds, views: AnyViews, tap: str) -> np.ndarray:
        """Features N×H×W×C fp32 at a tap of one view each of N images."""
        return self.read_features(images, views, tap)[0]

    def read_batch(self, images: ImageIds, views: AnyViews) -> StoredRows:
        """Logits, labels, pixel hashes and confidences of one view each of N images."""
        ids = image_ids(images)
        keys, holders = self._lookup.find(ids, view_codes(views, ids.size))
        step = max(1, _LOGITS_AT_ONCE // self.identity.classes)
        parts = [self._read_logits(keys[part], holders[part]) for part in _parts(ids.size, step)]
        return StoredRows.joined(parts, self.identity.classes)

    def read_features(
        self, images: ImageIds, views: AnyViews, tap: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features N×H×W×C fp32 at a tap, and the hashes of the pixels behind them."""
        if tap not in self.taps:
            raise Missing.of(f"features of {tap} (it has {', '.join(self.taps) or 'none'})", self.path)
        shape = self.taps[tap]
        ids = image_ids(images)
        keys, holders = self._lookup.find(ids, view_codes(views, ids.size), tap)
        values = np.empty((ids.size, shape.height, shape.width, shape.channels), np.float32)
        hashes = np.empty(ids.size, np.uint64)
        for part in _parts(ids.size, _RECORDS_AT_ONCE):
            values[part], hashes[part] = self._read_features(keys[part], holders[part], shape)
        return values, hashes

    def _unit(self, number: int) -> Unit:
        if self._process != os.getpid():
            self._begin()
        if number not in self._units:
            self._units[number] = open_unit(self.manifest.units[number], self.path)
        return self._units[number]

    def _logit_bytes(self, number: int) -> int:
        """Bytes of a unit's file that logits take, whole pages."""
        entry = self.manifest.units[number]
        if entry.records == 0:
            return 0
        features = (self._unit(number).index(shape.tap).page_bytes for shape, _ in entry.features)
        return entry.bytes - sum(features)

    def _read_logits(self, keys: np.ndarray, holders: np.ndarray) -> StoredRows:
        try:
            numbers = self._find_records(keys, holders, None, BLOCK)
            # Each record is opened once, however many of its views are wanted.
            places = holders << 40 | numbers
            _, firsts, block = np.unique(places, return_index=True, return_inverse=True)
            records, starts = [], np.empty(firsts.size, np.uint64)
            for i, first in enumerate(firsts.tolist()):
                index = self._unit(int(holders[first])).index()
                starts[i] = index.keys[numbers[first]]
                records.append(open_record(index.place(int(numbers[first]))))
            within = (keys - starts[block]).astype(np.int64)
            codec, classes = self.identity.logits, self.identity.classes
            return decode_views(records, starts, block, within, codec, classes)
        except MalformedRecord as error:
            # Which view it was shows when they are read one by one.
            for i in range(keys.size if keys.size > 1 else 0):
                self._read_logits(keys[i : i + 1], holders[i : i + 1])
            raise self._corrupt(keys, holders, error) from error

    def _read_features(
        self, keys: np.ndarray, holders: np.ndarray, shape: TapShape
    ) -> tuple[np.ndarray, np.ndarray]:
        try:
            numbers = self._find_records(keys, holders, shape.tap, 1)
            records = [
                open_record(self._unit(unit).index(shape.tap).place(number))
                for unit, number in zip(holders.tolist(), numbers.tolist())
            ]
            return decode_features(records, keys, shape, self.identity.featurePrecision)
        except MalformedRecord as error:
            for i in range(keys.size if keys.size > 1 else 0):
                self._read_features(keys[i : i + 1], holders[i : i + 1], shape)
            raise self._corrupt(keys, holders, error) from error

    def _find_records(
        self, keys: np.ndarray, holders: np.ndarray, tap: Optional[str], views: int
    ) -> np.ndarray:
        """The numbers of the records of at most `views` views that hold `keys`."""
        numbers = np.empty(keys.size, np.int64)
        for unit in np.unique(holders).tolist():
            here = np.flatnonzero(holders == unit)
            numbers[here] = self._unit(unit).index(tap).find(keys[here], views)
        return numbers

    def _corrupt(self, keys: np.ndarray, holders: np.ndarray, error: object) -> Corrupt:
        path = os.path.join(self.path, self.manifest.units[int(holders[0])].path)
        key = int(keys[0])
        return Corrupt.of(path, f"image {key >> 32}, {view_of_code(key & 0xFFFFFFFF)}: {error}")


def _gradient_error(units: Sequence[UnitEntry]) -> Optional[dict[str, Any]]:
    """What coding did to the gradients of the views that teacher-dump measured; None without any."""
    measured = [unit.coding_error for unit in units if unit.coding_error is not None]
    views = sum(error["views"] for error in measured)
    if views == 0:
        return None
    largest = np.max([error["largest"] for error in measured], axis=0).tolist()
    mean = (np.sum([error["sum"] for error in measured], axis=0) / views).tolist()
    settings = ("t1", "t2", "t4", "bkd")
    return {
        "views": views,
        "max": dict(zip(settings, largest)),
        "mean": dict(zip(settings, mean)),
        "crld_mask_flips": sum(error["maskFlips"] for error in measured),
    }


def _parts(count: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
