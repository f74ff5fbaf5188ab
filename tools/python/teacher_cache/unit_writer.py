"""Fills one unit in large transactions; what was committed survives a kill."""

from __future__ import annotations

import errno
import os
import struct
import time
from typing import Callable, Mapping, Optional, Sequence

import lmdb
import numpy as np

from .account import UnitAccount, split_levels
from .errors import CacheError, Corrupt, DiskFull, NoPermission, WrongVersion
from .features import encode_features, pack_planes
from .files import is_directory, remove
from .identity import CacheIdentity
from .logits import Codes, encode_blocks, quantize
from .pages import check_pages
from .plan import WorkUnit
from .records import (
    BLOCK,
    ENCODINGS,
    FEATURE_ENCODINGS,
    LOGITS_TABLE,
    SEGMENT_LIMIT,
    features_table,
    make_segment,
    seal,
)
from .units import unit_error
from .views import View

_ACCOUNT, _UNIT, _STATE = b"account", b"unit", b"state"
_NOT_WHOLE = (
    lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.VersionMismatchError,
    lmdb.NotFoundError, lmdb.IncompatibleError, Corrupt, WrongVersion,
)  # fmt: skip
_MAXIMUM_TABLES = 64
_FIRST_MAP = 256 << 20
_TRANSACTION_BYTES = 64 << 20
_TRANSACTION_SECONDS = 5.0
# What is encoded at once should stay in a core's nearest caches.
_LOGITS_AT_ONCE = 12_800


class UnitWriter:
    """Takes what a teacher said about the images of a unit, in their order, and seals it.

    Dropping it without `seal` leaves an unsealed unit; beginning the same work goes on with it.
    """

    def __init__(
        self,
        unit: WorkUnit,
        directory: str,
        identity: CacheIdentity,
        kernel_level: str,
        on_seal: Callable[[UnitWriter], None],
    ):
        self.unit = unit
        self.directory = directory
        self._identity = identity
        self._kernel_level = kernel_level
        self._on_seal = on_seal
        self._environment: Optional[lmdb.Environment]
        self._environment, self.account = _open(
            directory, unit.description(identity), len(unit.images)
        )
        self._segments: dict[bytes, _Segment] = {}
        self._pending: list[tuple[bytes, bytes, bytes]] = []
        self._pending_bytes = 0
        self._last_commit = time.monotonic()
        self._logit_columns = [i for i, r in enumerate(unit.requests) if r.needs_logits]
        self._runs = _runs([unit.requests[i].view for i in self._logit_columns])

    @property
    def remaining_images(self) -> tuple[int, ...]:
        """The images still to be appended, in this order."""
        return self.unit.images[self.account.done :]

    def append(
        self,
        images: Sequence[int],
        labels: np.ndarray,
        hashes: np.ndarray,
        logits: np.ndarray,
        features: Mapping[str, np.ndarray],
    ) -> None:
        """Adds everything that the unit asks of the next N of `remaining_images`.

        - labels: N; hashes: N×R u64, one for each of the unit's R requests.
        - logits: N×L×C fp32, for the requests that need logits, in their order.
        - features: by tap N×T×H×W×C fp32, for the requests that name it, in their order.
        """
        ids = tuple(int(image) for image in images)
        if ids != self.remaining_images[: len(ids)]:
            raise ValueError(f"images {ids[:3]}… where {self.remaining_images[:3]}… are next")
        if not ((labels >= 0) & (labels < 65_536)).all():
            raise ValueError(f"label {labels.max()}")
        step = max(1, _LOGITS_AT_ONCE // max(1, len(self._logit_columns) * self._identity.classes))
        for start in range(0, len(ids), step):
            part = slice(start, min(start + step, len(ids)))
            if self._logit_columns:
                self._add_logits(ids[part], labels[part], hashes[part], logits[part])
            self._add_features(
                ids[part], labels[part], hashes[part],
                {tap: values[part] for tap, values in features.items()},
            )  # fmt: skip
            self.account.done += len(ids[part])
            self.account.kernel_levels |= split_levels(self._kernel_level)
            age = time.monotonic() - self._last_commit
            if self._pending_bytes >= _TRANSACTION_BYTES or age >= _TRANSACTION_SECONDS:
                self.commit()

    def commit(self) -> None:
        """Makes what was appended so far durable."""
        for table in self._segments:
            self._gather(table)
        environment = self._open_environment()
        while True:
            try:
                names = {name for name, _, _ in self._pending} | {_ACCOUNT}
                tables = {name: environment.open_db(name) for name in sorted(names)}
                with environment.begin(write=True) as transaction:
                    for name, key, value in self._pending:
                        if not transaction.put(key, value, db=tables[name], append=True):
                            raise CacheError(f"{self.directory}: keys out of order")
                    transaction.put(_STATE, self.account.bytes, db=tables[_ACCOUNT])
                break
            except lmdb.MapFullError:
                environment.set_mapsize(environment.info()["map_size"] * 2)
            except (lmdb.Error, OSError) as error:
                raise write_error(self.directory, error) from error
        self._pending.clear()
        self._pending_bytes = 0
        self._last_commit = time.monotonic()

    def seal(self) -> None:
        """Commits, closes, hashes and renames: from now on readers see the unit."""
        if self.remaining_images:
            raise ValueError(f"sealed with {len(self.remaining_images)} images missing")
        self.commit()
        self.close()
        self._on_seal(self)

    def close(self) -> None:
        """Leaves the unit as it was last committed."""
        if self._environment is not None:
            self._environment.close()
        self._environment = None

    def _open_environment(self) -> lmdb.Environment:
        if self._environment is None:
            raise ValueError("the unit is sealed or closed")
        return self._environment

    def _add_logits(
        self, ids: Sequence[int], labels: np.ndarray, hashes: np.ndarray, logits: np.ndarray
    ) -> None:
        codec, classes = self._identity.logits, self._identity.classes
        what = f"images {ids[0]}…{ids[-1]}, logits"
        codes = quantize(np.ascontiguousarray(logits, np.float32), codec, what)
        self.account.logit_error = max(self.account.logit_error, codes.error)
        own_hashes = hashes[:, self._logit_columns]
        views = np.array([self.unit.requests[i].view.code for i in self._logit_columns])
        keys = np.array(ids, np.uint64)[:, None] << np.uint64(32) | views.astype(np.uint64)
        repeated = np.repeat(labels, views.size)
        self.account.content.add_logits(keys.reshape(-1), repeated, own_hashes.reshape(-1), codes)
        stored = []
        for run in self._runs:
            part = Codes(codes.codes[:, run], codes.maxima[:, run], codes.doubts[:, run], 0)
            stored.append(encode_blocks(own_hashes[:, run], part, codec))
        for number in range(len(ids)):
            for run, blocks in zip(self._runs, stored):
                count, key = run.stop - run.start, int(keys[number, run.start])
                label, raw = int(labels[number]), count * classes * 4
                block = blocks[number]
                self._add(
                    LOGITS_TABLE,
                    key,
                    seal(key, ENCODINGS[codec], count, label, classes, raw, block),
                )

    def _add_features(
        self,
        ids: Sequence[int],
        labels: np.ndarray,
        hashes: np.ndarray,
        features: Mapping[str, np.ndarray],
    ) -> None:
        precision = self._identity.featurePrecision
        for shape in self.unit.taps:
            tap = shape.tap
            columns = [i for i, r in enumerate(self.unit.requests) if tap in r.taps]
            expected = (len(ids), len(columns), shape.height, shape.width, shape.channels)
            if tap not in features or features[tap].shape != expected:
                found = features[tap].shape if tap in features else "none"
                raise ValueError(f"features of {tap}: {found}, expected {expected}")
            for number, image in enumerate(ids):
                label = int(labels[number])
                for place, column in enumerate(columns):
                    view = self.unit.requests[column].view
                    key = image << 32 | view.code
                    head, planes = encode_features(
                        features[tap][number, place], precision, int(hashes[number, column]),
                        f"image {image}, {view}, tap {tap}",
                    )  # fmt: skip
                    self.account.content.add_features(tap, key, label, head + b"".join(planes))
                    stored = pack_planes(head, planes)
                    encoding = FEATURE_ENCODINGS[precision]
                    record = seal(
                        key, encoding, 1, label, shape.channels, shape.count * 4, stored
                    )
                    self._add(features_table(tap), key, record)

    def _add(self, table: bytes, key: int, record: bytes) -> None:
        segment = self._segments.setdefault(table, _Segment())
        if segment.is_full(len(record)):
            self._gather(table)
        segment.add(key, record)

    def _gather(self, table: bytes) -> None:
        segment = self._segments[table]
        if segment.keys:
            value = make_segment(segment.keys, segment.records)
            self._pending.append((table, struct.pack(">Q", segment.keys[0]), value))
            self._pending_bytes += len(value)
            self._segments[table].clear()


class _Segment:
    """Records in key order that are gathered into one LMDB value."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.keys: list[int] = []
        self.records: list[bytes] = []
        self._bytes = 0

    def add(self, key: int, record: bytes) -> None:
        self.keys.append(key)
        self.records.append(record)
        self._bytes += len(record)

    def is_full(self, record: int) -> bool:
        """Whether a record of that size would make the segment too large."""
        size = 4 + 12 * (len(self.keys) + 1) + self._bytes + record
        return bool(self.keys) and size > SEGMENT_LIMIT


def _runs(views: Sequence[View]) -> list[slice]:
    """Cuts views into blocks: successive rounds of one kind, at most `BLOCK`."""
    runs: list[slice] = []
    for number, view in enumerate(views):
        follows = number > 0 and view == View(views[number - 1].kind, views[number - 1].round + 1)
        if follows and number - runs[-1].start < BLOCK:
            runs[-1] = slice(runs[-1].start, number + 1)
        else:
            runs.append(slice(number, number + 1))
    return runs


def _open(
    directory: str, description: str, images: int
) -> tuple[lmdb.Environment, UnitAccount]:
    """The environment of a unit where an interrupted run left it, or a new one.

    One that is damaged, of other work or of another teacher is deleted; one that could not be
    looked at, for want of memory or permission, is not.
    """
    try:
        found = _resume(directory, description, images) if is_directory(directory) else None
        if found is not None:
            return found
        remove(directory)
        os.makedirs(directory)
        environment, account = _environment(directory), UnitAccount()
        table = environment.open_db(_ACCOUNT)
        with environment.begin(write=True) as transaction:
            transaction.put(_UNIT, description.encode(), db=table)
            transaction.put(_STATE, account.bytes, db=table)
        return environment, account
    except (lmdb.Error, OSError) as error:
        raise write_error(directory, error) from error


def _resume(
    directory: str, description: str, images: int
) -> Optional[tuple[lmdb.Environment, UnitAccount]]:
    """What lies in a directory; None where it is not whole or not of that description."""
    data = os.path.join(directory, "data.mdb")
    if os.path.islink(data) or not os.path.isfile(data):
        return None
    environment = None
    try:
        check_pages(data, for_writing=True)
        environment = _environment(directory)
        with environment.begin() as transaction:
            table = environment.open_db(_ACCOUNT, txn=transaction, create=False)
            name, state = (transaction.get(key, db=table) for key in (_UNIT, _STATE))
        account = UnitAccount.parse(state or b"")
        if name == description.encode() and account is not None and account.done <= images:
            return environment, account
    except _NOT_WHOLE:
        # A kill before the first commit leaves a file that LMDB does not open; nothing was in it.
        pass
    if environment is not None:
        environment.close()
    return None


# The lock file of LMDB is not used: it is mapped for writing, which on a full disk ends the process.
def _environment(directory: str) -> lmdb.Environment:
    return lmdb.open(directory, map_size=_FIRST_MAP, max_dbs=_MAXIMUM_TABLES, lock=False)


def write_error(path: str, error: Exception) -> CacheError:
    """What an error in writing means."""
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM, errno.EROFS) or isinstance(error, lmdb.ReadonlyError):
        return NoPermission.of(path)
    free = _free_bytes(path)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull.of(path, free)
    # LMDB reports a full disk so too. A failed write has given its own pages back.
    if isinstance(error, lmdb.DiskError) and free < 1 << 20:
        return DiskFull.of(path, free)
    return unit_error(path, error)


def _free_bytes(path: str) -> int:
    """What is free on the disk of `path`, or of the nearest folder above it that there is."""
    while not os.path.isdir(path):
        path = os.path.dirname(os.path.abspath(path))
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
