"""Fills caches from a teacher that runs in Python."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np

from .datasets import ImageSet, load_train
from .errors import CacheError, LostUnit, Mismatch, NetworkFileSystem
from .files import make_directory, move, network_type, remove, sha256, sync, sync_names
from .identity import CacheIdentity
from .lock import WriterLock
from .manifest import (
    FILE_NAME,
    Manifest,
    TapShape,
    UnitEntry,
    is_possible,
    is_tap_name,
    require_no_run,
    require_no_units,
)
from .plan import WorkUnit, hold_all, missing_work
from .replay import ViewRenderer, pixel_hashes
from .unit_writer import UnitWriter, write_error
from .units import JOURNAL, UNITS, UNSEALED, is_unit_name
from .views import ImageIds, ViewSet, image_ids
from .weights import Teacher

# Takes views N×H×W×3 uint8 and gives logits N×C or (logits, {tap: N×H×W×C}).
TeacherFunction = Callable[[np.ndarray], Union[Any, tuple[Any, Mapping[str, Any]]]]


class Writer:
    """The one process that adds to a cache; units are those that `teacher-dump` would make.

        teacher = teacher_cache.Teacher.of_state_dict("resnet56", model.state_dict(), mean, std)
        with teacher_cache.Writer(
            "caches/r56", "cifar100", "data", teacher, views="weak:16,strong:16"
        ) as writer:
            writer.fill(teacher_cache.torch_teacher(model, teacher, device="cuda"))

    The same call after an interruption goes on; a call that asks for more views or taps adds only
    what is missing; another teacher, data set, seed or precision is refused.
    """

    def __init__(
        self,
        path: Union[str, os.PathLike],
        dataset: str,
        data: Union[str, os.PathLike, ImageSet],
        teacher: Teacher,
        *,
        views: Union[ViewSet, str],
        taps: Optional[Mapping[str, Sequence[int]]] = None,
        feature_views: Union[ViewSet, str] = "weak:1",
        images: Optional[ImageIds] = None,
        view_seed: int = 0,
        logits: str = "q8",
        feature_precision: str = "fp16",
        kernel_level: str = "python",
        allow_network_file_system: bool = False,
    ):
        """Takes the writer's lock; Locked at once where another process holds it.

        - data: the folder with the publisher's files, or the loaded images.
        - taps: (height, width, channels) of each tap whose features are stored.
        - images: ids in the original training set, by default all.
        - kernel_level: what computed the logits; equal content is promised for equal levels only.
        """
        self.path = os.path.abspath(os.path.expanduser(path))
        self.images = data if isinstance(data, ImageSet) else load_train(dataset, data)
        info = self.images.info
        if info.name != dataset:
            raise Mismatch.of("dataset", dataset, info.name)
        self.identity = CacheIdentity(
            dataset=dataset,
            datasetHash=self.images.content_hash,
            classes=info.classes,
            height=info.side,
            width=info.side,
            augmentations=info.augmentations,
            viewSeed=view_seed,
            teacherArchitecture=teacher.architecture,
            teacherWeights=teacher.weights,
            teacherMean=teacher.mean,
            teacherStd=teacher.std,
            logits=logits,
            featurePrecision=feature_precision,
        )
        count = self.images.labels.size
        self._ids = np.arange(count) if images is None else np.unique(image_ids(images, count))
        self._views = ViewSet.of(views).views(info.crops)
        self._feature_views = ViewSet.of(feature_views).views(info.crops)
        strange = set(self._feature_views) - set(self._views)
        if taps and strange:
            raise ValueError(
                f"feature_views {feature_views} asks for {min(strange)}, which is not among the views "
                f"{views}; name views of that list"
            )
        self._taps = [TapShape(tap, *map(int, shape)) for tap, shape in (taps or {}).items()]
        for shape in self._taps:
            if not is_tap_name(shape.tap) or not is_possible(shape):
                raise ValueError(f"the tap {shape} has an impossible name or shape")
        self._kernel_level = kernel_level
        self._renderer = ViewRenderer(self.images, view_seed)
        self._lock: Optional[WriterLock] = None
        try:
            self._open(allow_network_file_system)
        except OSError as error:
            raise write_error(self.path, error) from error

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives up the right to write."""
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def fill(
        self,
        teacher: TeacherFunction,
        batch_size: int = 256,
        progress: Optional[Callable[[int, int], None]] = None,
    ) -> int:
        """Runs the teacher over every view that the cache does not hold yet and seals it.

        - teacher: takes views N×H×W×3 uint8 and gives logits N×C or (logits, features), features
          by tap N×H×W×C; arrays or tensors.
        - batch_size: views at a time.
        - progress: called with views done and views in all.
        - Returns: how many views the teacher saw.
        """
        work = self.missing()
        total = sum(len(unit.images) * len(unit.requests) for unit in work)
        done = seen = 0
        for unit in work:
            writer = self.begin(unit)
            try:
                views = [request.view for request in unit.requests]
                done += (len(unit.images) - len(writer.remaining_images)) * len(views)
                step = max(1, batch_size // len(views))
                while ids := writer.remaining_images[:step]:
                    self._store(teacher, writer, np.array(ids), batch_size)
                    done, seen = done + len(ids) * len(views), seen + len(ids) * len(views)
                    if progress is not None:
                        progress(done, total)
                writer.seal()
            finally:
                writer.close()
        return seen

    def missing(self) -> list[WorkUnit]:
        """What the cache does not hold yet, as units; what was begun of other work is deleted,
        whatever else lies in `units/` is left alone.

        LostUnit where the manifest lists a unit that is not there and that this work would not make
        again.
        """
        units = self.manifest.units
        for wanted in self._taps:
            for shape, _ in (feature for unit in units + self._lost for feature in unit.features):
                if shape.tap == wanted.tap and shape != wanted:
                    raise Mismatch.of(f"shape of tap {wanted.tap}", wanted, shape)
        work = missing_work(
            self.identity, units, self._ids, self._views, self._taps, self._feature_views
        )
        planned = units + [unit.entry() for unit in work]
        for entry in self._lost:
            if not hold_all(self.identity, planned, entry):
                raise LostUnit.of(self.path, entry.path, entry.held)
        if any(hold_all(self.identity, units, entry) for entry in self._lost):
            self._write_list()
        names = {unit.name(self.identity) for unit in work}
        for name in os.listdir(self._units_folder):
            for prefix in (UNSEALED, JOURNAL):
                unit = name.removeprefix(prefix)
                if unit != name and is_unit_name(unit) and unit not in names:
                    remove(os.path.join(self._units_folder, name))
        return work

    def begin(self, unit: WorkUnit) -> UnitWriter:
        """Opens a unit of `missing`, going on after the last committed image."""
        if self._lock is None:
            raise ValueError("the writer is closed")
        name = unit.name(self.identity)
        directory = os.path.join(self._units_folder, UNSEALED + name)
        self._reclaim(name, directory)
        return UnitWriter(
            unit, directory, self.identity, self._kernel_level, self._publish
        )

    def _store(
        self, teacher: TeacherFunction, writer: UnitWriter, ids: np.ndarray, batch_size: int
    ) -> None:
        """Runs the teacher over the views of a few images and stores what it says."""
        requests = writer.unit.requests
        count, shown = ids.size, len(requests)
        pixels = self._renderer.render_batch(
            np.repeat(ids, shown), [request.view for request in requests] * count
        )
        logits = np.empty((count * shown, self.identity.classes), np.float32)
        features = {
            shape.tap: np.empty(
                (count * shown, shape.height, shape.width, shape.channels), np.float32
            )
            for shape in writer.unit.taps
        }
        for start in range(0, count * shown, batch_size):
            part = slice(start, min(start + batch_size, count * shown))
            said = teacher(pixels[part].copy())
            rows, maps = said if isinstance(said, tuple) else (said, {})
            logits[part] = _array("logits", rows, logits[part].shape)
            for tap, values in features.items():
                if tap not in maps:
                    raise CacheError(f"the teacher gave no features of {tap}; it gave {list(maps)}")
                values[part] = _array(f"features of {tap}", maps[tap], values[part].shape)
        logit_columns = [i for i, request in enumerate(requests) if request.needs_logits]
        writer.append(
            ids.tolist(),
            self.images.labels[ids],
            pixel_hashes(pixels).reshape(count, shown),
            logits.reshape(count, shown, -1)[:, logit_columns],
            {
                tap: values.reshape(count, shown, *values.shape[1:])[
                    :, [i for i, request in enumerate(requests) if tap in request.taps]
                ]
                for tap, values in features.items()
            },
        )

    @property
    def _units_folder(self) -> str:
        return os.path.join(self.path, UNITS)

    def _open(self, allow_network: bool) -> None:
        require_no_run(self.path)
        make_directory(self.path)
        network = network_type(self.path)
        if network is not None and not allow_network:
            raise NetworkFileSystem.of(self.path, network)
        self._lock = WriterLock(self.path)
        try:
            # Listed and not there: a plan must make them again, and they stay on the list until then.
            self._lost: list[UnitEntry] = []
            if os.path.lexists(os.path.join(self.path, FILE_NAME)):
                self.manifest, self._lost = Manifest.read(self.path).without_lost(self.path)
                difference = self.identity.first_difference(self.manifest.identity)
                if difference is not None:
                    raise Mismatch.of(*difference)
            else:
                require_no_units(self.path)
                self.manifest = Manifest(self.identity, [])
                self.manifest.write(self.path)
            if os.path.islink(self._units_folder):
                raise CacheError(
                    f"{self._units_folder} is a link, through which nothing is written; link the "
                    "whole cache"
                )
            make_directory(self._units_folder)
        except BaseException:
            self.close()
            raise

    def _reclaim(self, name: str, unsealed: str) -> None:
        """A kill between a unit's rename and the manifest leaves it unlisted; sealing is repeated
        then."""
        listed = any(os.path.basename(unit.path) == name for unit in self.manifest.units)
        sealed = os.path.join(self._units_folder, name)
        if not listed and os.path.lexists(sealed):
            remove(unsealed)
            move(sealed, unsealed)

    def _publish(self, writer: UnitWriter) -> None:
        """fsync, hash, rename, then the manifest that lists the unit."""
        data = os.path.join(writer.directory, "data.mdb")
        lock_file = os.path.join(writer.directory, "lock.mdb")
        try:
            remove(lock_file)
            sync(data)
            sync_names(writer.directory)
            entry = self._entry(writer, data)
            if any(unit.path == entry.path for unit in self._lost):
                # What will be found under the name of a lost unit has to be what the list says.
                self._lost = [entry if unit.path == entry.path else unit for unit in self._lost]
                self._write_list()
            move(writer.directory, os.path.join(self.path, entry.path))
            self.manifest.units.append(entry)
            self.manifest.units.sort(key=lambda unit: unit.path)
            self._write_list()
            # What a training run had gathered of the same unit.
            remove(os.path.join(self._units_folder, JOURNAL + os.path.basename(entry.path)))
        except OSError as error:
            raise write_error(self.path, error) from error

    def _write_list(self) -> None:
        """Lists the units that are there, and lost ones that hold more than these."""
        units = self.manifest.units
        self._lost = [unit for unit in self._lost if not hold_all(self.identity, units, unit)]
        listed = sorted(units + self._lost, key=lambda unit: unit.path)
        try:
            Manifest(self.identity, listed).write(self.path)
        except OSError as error:
            raise write_error(self.path, error) from error

    def _entry(self, writer: UnitWriter, data: str) -> UnitEntry:
        return writer.unit.entry(
            path=f"{UNITS}/{writer.unit.name(self.identity)}",
            bytes=os.path.getsize(data),
            sha256=sha256(data),
            content=writer.account.content.hex,
            kernel_level=writer.account.kernel_level,
            logit_error=writer.account.logit_error,
        )


def _array(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What a teacher gave, as fp32 of the expected shape."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind != "f":
        raise CacheError(
            f"the teacher gave {what} of shape {array.shape} and type {array.dtype}; "
            f"expected floating-point numbers of shape {shape}"
        )
    return array.astype(np.float32)
