"""Records, the segments that gather them, and what surrounds a record's stored bytes."""

from __future__ import annotations

import struct
from typing import Iterator, Sequence, Union

import numpy as np
import xxhash

from .errors import MalformedRecord

Bytes = Union[bytes, memoryview]

HEADER = np.dtype(
    [
        ("key", ">u8"),
        ("version", "u1"),
        ("encoding", "u1"),
        ("count", "<u2"),
        ("label", "<u2"),
        ("width", "<u2"),
        ("raw", "<u4"),
        ("stored", "<u4"),
    ]
)
HEADER_BYTES = HEADER.itemsize
OVERHEAD = HEADER_BYTES + 8
VERSION = 1
# Views that share a record of logits.
BLOCK = 32
ENCODINGS = {"fp32": 0, "fp16": 1, "q8": 2, "coarse": 3}
FEATURE_ENCODINGS = {"fp32": 16, "fp16": 17, "q8": 18}
# Whole pages less LMDB's 16 bytes.
SEGMENT_LIMIT = 128 * 4096 - 16
LOGITS_TABLE = b"logits"
# Bytes behind a buffer, so that eight can be read from every place.
SPARE = bytes(8)

_DIRECTORY = np.dtype([("key", ">u8"), ("offset", "<u4")])
_STORED = struct.Struct("<I")
_CHECKSUM = struct.Struct("<Q")


def features_table(tap: str) -> bytes:
    """The name of the LMDB table with a tap's features."""
    return b"features/" + tap.encode()


def seal(
    key: int, encoding: int, count: int, label: int, width: int, raw: int, stored: bytes
) -> bytes:
    """A whole record: header, stored bytes, checksum."""
    head = struct.pack(">Q", key)
    head += struct.pack("<BBHHHII", VERSION, encoding, count, label, width, raw, len(stored))
    body = head + stored
    return body + _CHECKSUM.pack(xxhash.xxh3_64_intdigest(body))


def open_record(place: Bytes) -> Bytes:
    """Header and stored bytes of the record that `place` begins with, its checksum compared."""
    if len(place) < OVERHEAD:
        raise MalformedRecord("a record is cut off")
    end = HEADER_BYTES + _STORED.unpack_from(place, 20)[0]
    if end > len(place) - 8:
        raise MalformedRecord(f"a record of {end - HEADER_BYTES} bytes leaves its segment")
    record = place[:end]
    if xxhash.xxh3_64_intdigest(record) != _CHECKSUM.unpack_from(place, end)[0]:
        raise MalformedRecord("a record's checksum does not match its bytes")
    return record


def check_headers(
    headers: np.ndarray, keys: np.ndarray, encoding: int, width: int, values: np.ndarray
) -> None:
    """MalformedRecord unless every header is that of its key.

    `values` are the numbers that a record of each header's count holds.
    """
    if (headers["version"] != VERSION).any():
        wrong = headers["version"][headers["version"] != VERSION][0]
        raise MalformedRecord(f"record version {wrong}, expected {VERSION}")
    sound = (
        (headers["key"] == keys)
        & (headers["encoding"] == encoding)
        & (headers["width"] == width)
        & (headers["raw"] == values * 4)
        & (headers["count"] >= 1)
        & (headers["count"] <= BLOCK)
    )
    if not sound.all():
        raise MalformedRecord("a record is not the one that its place says")


def make_segment(keys: Sequence[int], records: Sequence[bytes]) -> bytes:
    """Records in key order as one LMDB value: count, directory, records."""
    directory = np.zeros(len(keys), _DIRECTORY)
    directory["key"] = keys
    starts = 4 + _DIRECTORY.itemsize * len(keys)
    directory["offset"] = starts + np.cumsum([0, *map(len, records[:-1])])
    return struct.pack("<I", len(keys)) + directory.tobytes() + b"".join(records)


class RecordIndex:
    """The records of one table of a sealed unit, found by key. Every offset was checked."""

    def __init__(self, entries: Iterator[tuple[Bytes, Bytes]]):
        """From the table's entries in key order; their memory must outlive the index."""
        self._segments: list[Bytes] = []
        keys, numbers, starts, ends = [], [], [], []
        for name, segment in entries:
            directory, stops = _open_directory(segment)
            if len(name) != 8 or int.from_bytes(name, "big") != int(directory["key"][0]):
                raise MalformedRecord("a segment's first key is not its name")
            keys.append(directory["key"].astype(np.uint64))
            numbers.append(np.full(directory.size, len(self._segments), np.int32))
            starts.append(directory["offset"])
            ends.append(stops)
            self._segments.append(segment)
        if not keys:
            raise MalformedRecord("a table is empty")
        self.keys = np.concatenate(keys)
        self._numbers = np.concatenate(numbers)
        self._starts = np.concatenate(starts)
        self._ends = np.concatenate(ends)
        if (self.keys[1:] <= self.keys[:-1]).any():
            raise MalformedRecord("records are out of order")

    @property
    def page_bytes(self) -> int:
        """The segments' bytes in whole pages with LMDB's header."""
        return sum((len(segment) + 16 + 4095) // 4096 * 4096 for segment in self._segments)

    def find(self, keys: np.ndarray, views: int) -> np.ndarray:
        """The numbers of the records of at most `views` views in which each of `keys` lies."""
        found = np.searchsorted(self.keys, keys, side="right") - 1
        first = self.keys[np.maximum(found, 0)]
        # Of the same image and kind, and begun less than so many rounds before.
        near = (first >> np.uint64(24) == keys >> np.uint64(24)) & (keys - first < views)
        if (found < 0).any() or not near.all():
            raise MalformedRecord("it is not where it should be")
        return found

    def place(self, number: int) -> Bytes:
        """The bytes of a record."""
        start, end = int(self._starts[number]), int(self._ends[number])
        return self._segments[self._numbers[number]][start:end]


def _open_directory(segment: Bytes) -> tuple[np.ndarray, np.ndarray]:
    """A segment's keys and offsets, and where each record ends at the latest."""
    size = len(segment)
    if size < 4 + _DIRECTORY.itemsize + OVERHEAD:
        raise MalformedRecord(f"a segment of {size} bytes")
    count = _STORED.unpack_from(segment, 0)[0]
    if not 0 < count <= (size - 4) // (_DIRECTORY.itemsize + OVERHEAD):
        raise MalformedRecord(f"a segment of {size} bytes says {count} records")
    directory = np.frombuffer(segment, _DIRECTORY, count, offset=4)
    starts = directory["offset"].astype(np.int64)
    ends = np.append(starts[1:], size)
    first = 4 + _DIRECTORY.itemsize * count
    if starts[0] < first or (ends - starts < OVERHEAD).any() or (ends > size).any():
        raise MalformedRecord("a record lies outside its segment")
    return directory, ends
