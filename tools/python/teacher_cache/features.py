"""Features of one view at one tap as the stored bytes of a record.

u64 pixel hash, u16 height, u16 width, then over n = H·W·C values in H×W×C order:

* `fp32`: four planes, top byte first, of the bits rotated left by one;
* `fp16`: two planes, high and low byte, of the halves;
* `q8`: u8 signed (1) or not (0), f32 scale × C, one plane of codes.

A plane is stored as u32 length, then that many bytes: the plane itself where the length is n, one
zstd frame with its content size where it is less.
"""

from __future__ import annotations

import struct
from typing import Sequence

import numpy as np
import zstandard

from .errors import MalformedRecord, Unstorable
from .manifest import TapShape
from .records import FEATURE_ENCODINGS, HEADER, HEADER_BYTES, Bytes, check_headers

_LEVEL = 3
_HALF_LARGEST = 65504.0
_PLANES = {"fp32": 4, "fp16": 2, "q8": 1}


def encode_features(
    values: np.ndarray, precision: str, pixel_hash: int, what: str
) -> tuple[bytes, list[bytes]]:
    """What precedes the planes, and the planes, of fp32 values H×W×C."""
    if not np.isfinite(values).all():
        raise Unstorable.of(what, "a feature is not finite")
    height, width, channels = values.shape
    head = struct.pack("<QHH", pixel_hash, height, width)
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    if precision == "fp32":
        bits = flat.view(np.uint32)
        turned = bits << np.uint32(1) | bits >> np.uint32(31)
        shifts = (24, 16, 8, 0)
        return head, [(turned >> np.uint32(s)).astype(np.uint8).tobytes() for s in shifts]
    if precision == "fp16":
        if np.abs(flat).max(initial=0) > _HALF_LARGEST:
            raise Unstorable.of(what, "a feature is beyond ±65504, which fp16 ends at")
        halves = flat.astype(np.float16).view(np.uint16)
        return head, [(halves >> 8).astype(np.uint8).tobytes(), halves.astype(np.uint8).tobytes()]
    signed = bool((flat < 0).any())
    limit = 127 if signed else 255
    scales = np.abs(values).max((0, 1)).astype(np.float32) / np.float32(limit)
    divisors = np.where(scales == 0, 1, scales.astype(np.float64))
    codes = np.rint(values.astype(np.float64) / divisors)
    codes = np.where(scales == 0, 0, np.clip(codes, -limit, limit)).astype(np.int64)
    head += bytes([signed]) + scales.astype("<f4").tobytes()
    return head, [(codes.reshape(-1) & 0xFF).astype(np.uint8).tobytes()]


def pack_planes(head: bytes, planes: list[bytes]) -> bytes:
    """The stored bytes: each plane compressed where that makes it smaller."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    stored = [head]
    for plane in planes:
        packed = compressor.compress(plane)
        best = packed if len(packed) < len(plane) else plane
        stored += [struct.pack("<I", len(best)), best]
    return b"".join(stored)


def decode_features(
    records: Sequence[Bytes], keys: np.ndarray, shape: TapShape, precision: str
) -> tuple[np.ndarray, np.ndarray]:
    """N×H×W×C fp32 values and the N pixel hashes of records whose checksums were compared."""
    headers = np.frombuffer(b"".join([record[:HEADER_BYTES] for record in records]), HEADER)
    values = np.full(len(records), shape.count)
    check_headers(headers, keys, FEATURE_ENCODINGS[precision], shape.channels, values)
    if (headers["count"] != 1).any():
        raise MalformedRecord("a record of features holds one view")
    result = np.empty((len(records), shape.height, shape.width, shape.channels), np.float32)
    hashes = np.empty(len(records), np.uint64)
    decompressor = zstandard.ZstdDecompressor()
    for number, record in enumerate(records):
        flat = result[number].reshape(-1)
        hashes[number] = _decode(record[HEADER_BYTES:], shape, precision, decompressor, flat)
    return result, hashes


def _decode(
    stored: Bytes,
    shape: TapShape,
    precision: str,
    decompressor: zstandard.ZstdDecompressor,
    values: np.ndarray,
) -> int:
    """Writes one record's values and gives its pixel hash."""
    start = 12 + (1 + 4 * shape.channels if precision == "q8" else 0)
    if len(stored) < start:
        raise MalformedRecord("a record is too short for its features")
    pixel_hash, height, width = struct.unpack_from("<QHH", stored)
    if (height, width) != (shape.height, shape.width):
        raise MalformedRecord("features have another height or width")
    planes = []
    for _ in range(_PLANES[precision]):
        plane, start = _plane(stored, start, shape.count, decompressor)
        planes.append(plane)
    if start != len(stored):
        raise MalformedRecord("bytes follow the last plane")
    if precision == "fp32":
        bits = planes[0].astype(np.uint32)
        for plane in planes[1:]:
            bits = bits << np.uint32(8) | plane
        values[:] = (bits >> np.uint32(1) | bits << np.uint32(31)).view(np.float32)
    elif precision == "fp16":
        values[:] = (planes[0].astype(np.uint16) << 8 | planes[1]).view(np.float16)
    else:
        scales = np.frombuffer(stored, "<f4", shape.channels, offset=13)
        codes = planes[0].view(np.int8) if stored[12] == 1 else planes[0]
        rows = codes.reshape(-1, shape.channels).astype(np.float32) * scales
        values[:] = rows.reshape(-1)
    return pixel_hash


def _plane(
    stored: Bytes, start: int, size: int, decompressor: zstandard.ZstdDecompressor
) -> tuple[np.ndarray, int]:
    """The plane of `size` bytes that begins at `start`, and where the next one begins."""
    if start + 4 > len(stored):
        raise MalformedRecord("a record ends before its planes")
    length = struct.unpack_from("<I", stored, start)[0]
    end = start + 4 + length
    if length > size or end > len(stored):
        raise MalformedRecord(f"a plane of {size} bytes is stored in {length}")
    packed = stored[start + 4 : end]
    if length == size:
        return np.frombuffer(packed, np.uint8), end
    try:
        # Not until the size is known to be right: what is decompressed is bounded by it.
        if zstandard.frame_content_size(packed) != size:
            raise MalformedRecord("a zstd frame declares another size than its plane has")
        plane = decompressor.decompress(packed)
    except zstandard.ZstdError as error:
        raise MalformedRecord(f"a zstd frame does not decode ({error})") from error
    if len(plane) != size:
        raise MalformedRecord("a zstd frame does not decode to its plane")
    return np.frombuffer(plane, np.uint8), end
