"""`manifest.json`: what a cache consists of."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from .errors import CacheError, Corrupt, NoManifest, NoPermission, NotACache, WrongVersion
from .files import is_absent, replace_file
from .identity import FORMAT_VERSION, CacheIdentity, typed
from .ranges import IndexRanges
from .views import KINDS, PLAIN, ROUND_LIMIT, View

FILE_NAME = "manifest.json"
LMDB_FORMAT = "0.9"
RAW_LIMIT = 16 << 20
_BYTE_LIMIT = 64 << 20
_UNIT_LIMIT = 100_000
_UNIT_BYTE_LIMIT = 1 << 45
_TAP_LIMIT = 62  # LMDB's tables of a unit, less two


@dataclass(frozen=True)
class TapShape:
    """A tap and the shape of what it gives for one view, height × width × channels."""

    tap: str
    height: int
    width: int
    channels: int

    @staticmethod
    def from_json(members: Mapping[str, Any]) -> TapShape:
        sides = (typed(members, name, int) for name in ("height", "width", "channels"))
        return TapShape(typed(members, "tap", str), *sides)

    @property
    def count(self) -> int:
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class ViewRanges:
    """A set of views as ranges of rounds by kind."""

    kinds: Mapping[int, IndexRanges]

    @staticmethod
    def of(views: list[View]) -> ViewRanges:
        kinds = sorted({view.kind for view in views})
        return ViewRanges(
            {kind: IndexRanges.of(v.round for v in views if v.kind == kind) for kind in kinds}
        )

    @staticmethod
    def from_json(members: Mapping[str, str]) -> ViewRanges:
        kinds = {}
        for name, text in members.items():
            if name not in KINDS:
                raise ValueError(f"there is no view kind {name}")
            rounds = IndexRanges.parse(text)
            limit = 1 if KINDS.index(name) == PLAIN else ROUND_LIMIT
            if rounds.ranges and rounds.ranges[-1][1] >= limit:
                raise ValueError(f"there are no views {name}:{text}")
            kinds[KINDS.index(name)] = rounds
        return ViewRanges(kinds)

    def to_json(self) -> dict[str, str]:
        return {KINDS[kind]: str(rounds) for kind, rounds in self.kinds.items()}

    def __contains__(self, view: View) -> bool:
        return view.kind in self.kinds and view.round in self.kinds[view.kind]

    def __len__(self) -> int:
        return sum(len(rounds) for rounds in self.kinds.values())

    def views(self) -> list[View]:
        """In stable order."""
        return [
            View(kind, round)
            for kind in sorted(self.kinds)
            for round in self.kinds[kind].numbers().tolist()
        ]


@dataclass(frozen=True)
class UnitEntry:
    """One sealed unit as the manifest lists it."""

    path: str
    images: IndexRanges
    logits: ViewRanges
    features: tuple[tuple[TapShape, ViewRanges], ...]
    records: int
    feature_records: int
    bytes: int
    sha256: str
    content: str
    kernel_level: str
    logit_error: float
    coding_error: Optional[Mapping[str, Any]] = None  # measured by teacher-dump, kept as it is

    @staticmethod
    def from_json(members: Mapping[str, Any]) -> UnitEntry:
        entry = UnitEntry(
            path=typed(members, "path", str),
            images=IndexRanges.parse(members["images"]),
            logits=ViewRanges.from_json(members["logits"]),
            features=tuple(
                (TapShape.from_json(item["shape"]), ViewRanges.from_json(item["views"]))
                for item in members["features"]
            ),
            records=typed(members, "records", int),
            feature_records=typed(members, "featureRecords", int),
            bytes=typed(members, "bytes", int),
            sha256=typed(members, "sha256", str),
            content=typed(members, "content", str),
            kernel_level=typed(members, "kernelLevel", str),
            logit_error=float(members["logitError"]),
            coding_error=members.get("codingError"),
        )
        entry._check()
        return entry

    def to_json(self) -> dict[str, Any]:
        measured = {} if self.coding_error is None else {"codingError": self.coding_error}
        return {
            **measured,
            "path": self.path,
            "images": str(self.images),
            "logits": self.logits.to_json(),
            "features": [
                {"shape": dict(vars(shape)), "views": views.to_json()}
                for shape, views in self.features
            ],
            "records": self.records,
            "featureRecords": self.feature_records,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "content": self.content,
            "kernelLevel": self.kernel_level,
            "logitError": self.logit_error,
        }

    def feature_views(self, tap: str) -> Optional[ViewRanges]:
        """The views that have features of a tap, or None where there are none."""
        return next((views for shape, views in self.features if shape.tap == tap), None)

    def holds(self, view: View, tap: Optional[str] = None) -> bool:
        """Whether the unit has logits or, with a tap, features of a view of its images."""
        views = self.logits if tap is None else self.feature_views(tap)
        return views is not None and view in views

    @property
    def held(self) -> str:
        """What it holds, in words."""
        return (
            f"{self.records} logits and {self.feature_records} feature maps of {len(self.images)} images "
            f"from {self.images.ranges[0][0]} on"
        )

    def _check(self) -> None:
        """ValueError for figures that are impossible: paths stay inside, sizes are bounded."""
        images = len(self.images)
        per_image = sum(len(views) for _, views in self.features)
        taps = [shape.tap for shape, _ in self.features]
        checks = {
            f'the path "{self.path}" is not a unit\'s': re.fullmatch(
                r"units/[0-9a-z-]{1,100}", self.path, re.ASCII
            ),
            "a hash is not 64 hex digits": all(
                re.fullmatch("[0-9a-f]{64}", text) for text in (self.sha256, self.content)
            ),
            f"{self.bytes} bytes are no LMDB file": 0 < self.bytes <= _UNIT_BYTE_LIMIT
            and self.bytes % 4096 == 0,
            f"{images} images in {self.bytes} bytes": 0 < images <= self.bytes,
            f"{self.records} records": self.records == images * len(self.logits)
            and self.records <= self.bytes,
            f"{self.feature_records} features": self.feature_records == images * per_image
            and self.feature_records <= self.bytes,
            "a tap has an impossible name or shape": len(set(taps)) == len(taps) <= _TAP_LIMIT
            and all(is_tap_name(tap) for tap in taps)
            and all(is_possible(shape) for shape, _ in self.features),
            f"impossible coding errors {self.coding_error}": self.coding_error is None
            or _is_possible_error(self.coding_error, self.records),
        }
        for reason, sound in checks.items():
            if not sound:
                raise ValueError(reason)


@dataclass
class Manifest:
    """The identity and the sealed units of a cache."""

    identity: CacheIdentity
    units: list[UnitEntry]

    @staticmethod
    def read(directory: str) -> Manifest:
        """Reads and checks the manifest of the cache at `directory`."""
        path = os.path.join(directory, FILE_NAME)
        try:
            if os.path.islink(path) or not os.path.isfile(path):
                require_no_units(directory)
                raise NotACache.of(directory)
            if os.path.getsize(path) > _BYTE_LIMIT:
                raise Corrupt.of(path, f"more than {_BYTE_LIMIT} bytes")
            with open(path, "rb") as file:
                text = file.read()
        except PermissionError as error:
            raise NoPermission.of(directory) from error
        try:
            members = json.loads(text)
            head = [members["format"], members["version"], members["lmdbFormat"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Corrupt.of(path, f"not a manifest ({error!r})") from error
        if head[0] != "teacher-cache":
            raise NotACache.of(directory)
        if head[1] != FORMAT_VERSION:
            raise WrongVersion.of(path, head[1], FORMAT_VERSION)
        if head[2] != LMDB_FORMAT:
            raise WrongVersion.of(path, f"LMDB {head[2]}", f"LMDB {LMDB_FORMAT}")
        # Absent in caches that were made before it was introduced.
        if "checksum" in members and _checksum(text, members["checksum"]) != members["checksum"]:
            raise Corrupt.of(path, "its checksum does not match its bytes")
        try:
            return Manifest._from_json(members)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Corrupt.of(path, f"not a manifest ({error})") from error

    def without_lost(self, directory: str) -> tuple[Manifest, list[UnitEntry]]:
        """The manifest without the units that are not there, and those."""
        lost = [
            unit for unit in self.units if is_absent(os.path.join(directory, unit.path, "data.mdb"))
        ]
        return Manifest(self.identity, [unit for unit in self.units if unit not in lost]), lost

    @staticmethod
    def _from_json(members: Mapping[str, Any]) -> Manifest:
        identity = CacheIdentity.from_json(members["identity"])
        if members["fingerprint"] != identity.fingerprint:
            raise ValueError("the fingerprint is not that of the identity")
        if len(members["units"]) > _UNIT_LIMIT:
            raise ValueError(f"{len(members['units'])} units are too many")
        units = [UnitEntry.from_json(unit) for unit in members["units"]]
        if len({unit.path for unit in units}) < len(units):
            raise ValueError("a unit is listed twice")
        shapes: dict[str, TapShape] = {}
        for shape, _ in (feature for unit in units for feature in unit.features):
            if shapes.setdefault(shape.tap, shape) != shape:
                raise ValueError(f'the tap "{shape.tap}" has two shapes')
        return Manifest(identity, units)

    def write(self, directory: str) -> None:
        """Replaces the manifest of `directory` as a whole."""
        members = {
            "checksum": _BLANK,
            "format": "teacher-cache",
            "version": FORMAT_VERSION,
            "lmdbFormat": LMDB_FORMAT,
            "identity": self.identity.to_json(),
            "fingerprint": self.identity.fingerprint,
            "units": [unit.to_json() for unit in self.units],
        }
        text = json.dumps(members, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        # Sorted by name, the checksum comes first.
        text = text.replace(_BLANK, _checksum(text.encode(), _BLANK), 1)
        replace_file(os.path.join(directory, FILE_NAME), text.encode())


_BLANK = "0" * 64


def _checksum(text: bytes, stated: object) -> str:
    """SHA-256 of a manifest with the first of these 64 digits, its checksum, written as zeros."""
    if not isinstance(stated, str) or len(stated) != 64:
        return ""
    return hashlib.sha256(text.replace(stated.encode(), _BLANK.encode(), 1)).hexdigest()


def _is_possible_error(error: Any, records: int) -> bool:
    """Whether the figures of a unit's `codingError` can come from that many views."""
    try:
        figures = [*error["largest"], *error["sum"]]
        return (
            1 <= error["views"] <= max(records, 1)
            and 0 <= error["maskFlips"] <= error["views"]
            and len(error["largest"]) == len(error["sum"]) == 4
            and all(math.isfinite(value) and value >= 0 for value in figures)
        )
    except (KeyError, TypeError):
        return False


def require_no_units(directory: str) -> None:
    """A directory without a manifest may become a cache only where there are no units."""
    try:
        units = len(os.listdir(os.path.join(directory, "units")))
    except (FileNotFoundError, NotADirectoryError):
        return
    if units:
        raise NoManifest.of(directory, units)


def require_no_run(directory: str) -> None:
    """Refuses to make a cache in the folder of a run: whoever deletes the one would delete both."""
    run, manifest = (os.path.join(directory, name) for name in ("config.yaml", FILE_NAME))
    if os.path.lexists(run) and not os.path.lexists(manifest):
        raise CacheError(
            f"{directory} cannot be made: it holds a run (config.yaml); choose another directory"
        )


def is_tap_name(tap: str) -> bool:
    """Whether a tap may be called so: 1–64 of A–Z a–z 0–9 _ . -"""
    return re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", tap, re.ASCII) is not None


def is_possible(shape: TapShape) -> bool:
    """Whether features may have this shape."""
    sides = (shape.height, shape.width, shape.channels)
    return all(type(n) is int and 1 <= n <= 65_535 for n in sides) and shape.count * 4 <= RAW_LIMIT

