"""What a cache's numbers depend on, and the fingerprint of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Mapping, Optional

import numpy as np

FORMAT_VERSION = 1

# The uniform step of the codecs that have one.
STEPS = {"q8": 0.12, "coarse": 0.25}
LOGIT_CODECS = ("fp32", "fp16", *STEPS)
FEATURE_PRECISIONS = ("fp32", "fp16", "q8")


@dataclass(frozen=True)
class CacheIdentity:
    """Equal identities: the caches may merge. Field names are those of the manifest."""

    dataset: str
    datasetHash: str
    classes: int
    height: int
    width: int
    augmentations: Mapping[str, str]
    viewSeed: int
    teacherArchitecture: str
    teacherWeights: str
    teacherMean: tuple[float, ...]
    teacherStd: tuple[float, ...]
    logits: str
    featurePrecision: str
    formatVersion: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.logits not in LOGIT_CODECS:
            raise ValueError(f'there is no codec "{self.logits}"; there are {LOGIT_CODECS}')
        if self.featurePrecision not in FEATURE_PRECISIONS:
            raise ValueError(
                f'there is no precision "{self.featurePrecision}"; there are {FEATURE_PRECISIONS}'
            )
        if not 0 <= self.viewSeed < 1 << 64:
            raise ValueError(f"view seed {self.viewSeed}: it must be 0…2^64 − 1")
        for name in ("classes", "height", "width"):
            if not 1 <= getattr(self, name) <= 65_535:
                raise ValueError(f"{getattr(self, name)} {name} are impossible")
        for name in ("teacherMean", "teacherStd"):
            values = tuple(float(np.float32(value)) for value in getattr(self, name))
            object.__setattr__(self, name, values)

    @staticmethod
    def from_json(members: Mapping[str, Any]) -> CacheIdentity:
        """The identity in a manifest; KeyError, TypeError or ValueError where it is none."""
        augmentations = typed(members, "augmentations", dict)
        return CacheIdentity(
            formatVersion=typed(members, "formatVersion", int),
            dataset=typed(members, "dataset", str),
            datasetHash=typed(members, "datasetHash", str),
            classes=typed(members, "classes", int),
            height=typed(members, "height", int),
            width=typed(members, "width", int),
            augmentations={kind: typed(augmentations, kind, str) for kind in augmentations},
            viewSeed=typed(members, "viewSeed", int),
            teacherArchitecture=typed(members, "teacherArchitecture", str),
            teacherWeights=typed(members, "teacherWeights", str),
            teacherMean=tuple(typed(members, "teacherMean", list)),
            teacherStd=tuple(typed(members, "teacherStd", list)),
            logits=typed(members, "logits", str),
            featurePrecision=typed(members, "featurePrecision", str),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as a manifest has them."""
        members = {field.name: getattr(self, field.name) for field in fields(self)}
        members["augmentations"] = dict(self.augmentations)
        for name in ("teacherMean", "teacherStd"):
            members[name] = [float(float_text(value)) for value in members[name]]
        return members

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of all fields, in lower-case hex."""
        return hashlib.sha256(canonical_json(self._members()).encode()).hexdigest()

    @property
    def cache_id(self) -> str:
        """The first 16 digits of the fingerprint."""
        return self.fingerprint[:16]

    def first_difference(self, found: CacheIdentity) -> Optional[tuple[str, str, str]]:
        """The first field in which `found` is not this: (field, expected, found)."""
        mine, theirs = self._members(), found._members()
        for name in ["formatVersion", *mine]:
            expected, other = canonical_json(mine[name]), canonical_json(theirs[name])
            if expected != other:
                return name, expected, other
        return None

    def _members(self) -> dict[str, Any]:
        members = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("teacherMean", "teacherStd"):
            members[name] = [np.float32(value) for value in members[name]]
        return members


def typed(members: Mapping[str, Any], name: str, kind: type) -> Any:
    """A member of a JSON object; KeyError where it is missing, TypeError where it is no `kind`."""
    value = members[name]
    if type(value) is not kind:
        raise TypeError(f"{name} is {value!r}, expected {kind.__name__}")
    return value


def canonical_json(value: Any) -> str:
    """The one text of a value: sorted names, no spaces, shortest exact floats."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, np.float32):
        return float_text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda member: member[0].encode())
        return "{" + ",".join(f"{_quoted(k)}:{canonical_json(v)}" for k, v in members) + "}"
    return "[" + ",".join(canonical_json(item) for item in value) + "]"


def float_text(value: Any) -> str:
    """The shortest decimal of an fp32 number that parses back.

    Plain with at least one digit after the point where 1e-4 ≤ |value| ≤ 2^24 or it is 0;
    otherwise with an exponent of at least two digits (`1e-05`, `3.3554432e+07`).
    """
    number = np.float32(value)
    if number == 0 or np.float32(1e-4) <= abs(number) <= np.float32(2**24):
        return np.format_float_positional(number, unique=True, trim="0")
    return np.format_float_scientific(number, unique=True, trim="-", exp_digits=2)


def _quoted(text: str) -> str:
    escaped = "".join(
        "\\" + c if c in '"\\' else f"\\u{ord(c):04x}" if ord(c) < 0x20 else c for c in text
    )
    return f'"{escaped}"'
