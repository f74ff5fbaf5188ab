"""A hash of a set of records that does not depend on their order or on how they were cut.

The SHA-256 digests of the records, as little-endian numbers, are added modulo 2^256.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from .logits import Codes

_MODULUS = 1 << 256


class ContentSum:
    """The sum of some records."""

    def __init__(self, total: int = 0):
        self.total = total % _MODULUS

    @staticmethod
    def of_hex(text: str) -> ContentSum:
        """The sum of 64 hex digits, as a manifest has it."""
        return ContentSum(int.from_bytes(bytes.fromhex(text), "little"))

    def __add__(self, other: ContentSum) -> ContentSum:
        return ContentSum(self.total + other.total)

    def add_logits(
        self, keys: np.ndarray, labels: np.ndarray, hashes: np.ndarray, codes: Codes
    ) -> None:
        """Adds views of logits: `L`, key, label u16, pixel hash u64, max z f32, doubt u16,
        codes i32 × C; keys, labels, hashes and codes are flat in the same order."""
        width = codes.codes.shape[-1]
        items = np.zeros(
            keys.size,
            np.dtype(
                [
                    ("tag", "u1"),
                    ("key", ">u8"),
                    ("label", "<u2"),
                    ("hash", "<u8"),
                    ("maximum", "<f4"),
                    ("doubt", "<u2"),
                    ("codes", "<i4", (width,)),
                ]
            ),
        )
        items["tag"] = ord("L")
        items["key"], items["label"], items["hash"] = keys, labels, hashes
        items["maximum"] = codes.maxima.reshape(-1)
        items["doubt"] = codes.doubts.reshape(-1)
        items["codes"] = codes.codes.reshape(-1, width)
        memory, size = memoryview(items.tobytes()), items.itemsize
        for number in range(keys.size):
            self._add(memory[number * size : (number + 1) * size])

    def add_features(self, tap: str, key: int, label: int, expanded: bytes) -> None:
        """Adds features of a view: `F`, length of the tap's name u8, name, key, label u16, stored
        bytes with each plane expanded and without its length."""
        name = tap.encode()
        self._add(
            b"F" + bytes([len(name)]) + name + struct.pack(">Q", key) + struct.pack("<H", label)
            + expanded
        )

    def _add(self, item: bytes | memoryview) -> None:
        digest = hashlib.sha256(item).digest()
        self.total = (self.total + int.from_bytes(digest, "little")) % _MODULUS

    @property
    def bytes(self) -> bytes:
        return self.total.to_bytes(32, "little")

    @property
    def hex(self) -> str:
        """As a manifest has it."""
        return self.bytes.hex()

    @property
    def content_hash(self) -> str:
        """What `info` shows: SHA-256 of `teacher-cache content 1` and the sum's 32 bytes."""
        return hashlib.sha256(b"teacher-cache content 1" + self.bytes).hexdigest()
