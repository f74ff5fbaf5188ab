"""What an unsealed unit knows about itself, written in the same transactions as its records."""

from __future__ import annotations

import dataclasses
import struct
from typing import Optional

import xxhash

from .content import ContentSum

_FIXED = struct.Struct("<Q32sd80s")
_LEVEL_SEPARATOR = " + "


@dataclasses.dataclass
class UnitAccount:
    """- done: images that are complete.
    - content: of those; logit_error: the largest |z - decoded z| of them.
    - coding: what teacher-dump measured of them, kept as it is.
    - kernel_levels: what computed the records.
    """

    done: int = 0
    content: ContentSum = dataclasses.field(default_factory=ContentSum)
    logit_error: float = 0.0
    coding: bytes = bytes(80)
    kernel_levels: set[str] = dataclasses.field(default_factory=set)

    @property
    def kernel_level(self) -> str:
        """The levels as one text, as the manifest has it."""
        return _LEVEL_SEPARATOR.join(sorted(self.kernel_levels))

    @property
    def bytes(self) -> bytes:
        text = _FIXED.pack(self.done, self.content.bytes, self.logit_error, self.coding)
        text += self.kernel_level.encode()
        return text + xxhash.xxh3_64_intdigest(text).to_bytes(8, "little")

    @classmethod
    def parse(cls, value: bytes) -> Optional[UnitAccount]:
        """None for what `bytes` did not make: a flipped bit must not change how many are done."""
        text, checksum = value[:-8], value[-8:]
        if len(text) < _FIXED.size:
            return None
        if xxhash.xxh3_64_intdigest(text).to_bytes(8, "little") != checksum:
            return None
        done, content, error, coding = _FIXED.unpack_from(text)
        levels = split_levels(text[_FIXED.size :].decode(errors="replace"))
        return cls(done, ContentSum(int.from_bytes(content, "little")), error, coding, levels)


def split_levels(text: str) -> set[str]:
    """The names in the kernel level of a unit."""
    return set(text.split(_LEVEL_SEPARATOR)) if text else set()
