"""Logits as codes, and blocks of codes as the stored bytes of a record.

n views of C classes, in round order, all numbers little-endian:

1. u64 pixel hash × n;
2. `fp16`: f32 max z × n; `q8`, `coarse`: half(1 − confidence) × n;
3. low parts, n × C: `fp32` 3 bytes, `fp16` 1 byte, otherwise none;
4. n + 1 variable-length numbers: the byte lengths of the reference row (0: there is none, all
   zeros) and of the rows;
5. those rows of high parts (see `rows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from .confidence import confidences, doubts
from .errors import MalformedRecord, Unstorable
from .identity import STEPS
from .records import BLOCK, ENCODINGS, HEADER, HEADER_BYTES, SPARE, Bytes, check_headers
from .rows import (
    EncodedRows,
    decode_rows,
    reference_rows,
    variable_length,
    variable_lengths,
    windows,
)

# Bytes of the number beside each row, and of a code's low part.
SIDE_BYTES = {"fp32": 0, "fp16": 4, "q8": 2, "coarse": 2}
LOW_BYTES = {"fp32": 3, "fp16": 1, "q8": 0, "coarse": 0}
_CODE_LIMIT = 2.0**28
_HALF_LARGEST = 65504.0


@dataclass
class Codes:
    """Quantised rows: everything that enters the content hash.

    `codes` …×C int64: `fp32` the bits of z as a signed number, `fp16` the half bits of z − max z
    without the sign, otherwise steps. `maxima` (f32) and `doubts` (half bits) are 0 where the
    codec has none.
    """

    codes: np.ndarray
    maxima: np.ndarray
    doubts: np.ndarray
    # Largest |decoded − z|.
    error: float


def quantize(logits: np.ndarray, codec: str, what: str) -> Codes:
    """The codes of fp32 logits …×C; `what` names them in an error."""
    if not np.isfinite(logits).all():
        raise Unstorable.of(what, "a logit is not finite")
    shape = logits.shape[:-1]
    maxima, doubtful = np.zeros(shape, np.float32), np.zeros(shape, np.uint16)
    if codec == "fp32":
        return Codes(logits.view(np.int32).astype(np.int64), maxima, doubtful, 0.0)
    if codec == "fp16":
        maxima = logits.max(-1)
        below = logits - maxima[..., None]
        if (below < -_HALF_LARGEST).any():
            raise Unstorable.of(what, "a logit is more than 65504 below the largest")
        codes = (below.astype(np.float16).view(np.uint16) & 0x7FFF).astype(np.int64)
        decoded = _from_halves(codes, maxima)
        return Codes(codes, maxima, doubtful, _largest_difference(decoded, logits))
    step = STEPS[codec]
    codes = np.rint(logits.astype(np.float64) / step)
    if (np.abs(codes) >= _CODE_LIMIT).any():
        raise Unstorable.of(what, f"a logit is too large for step {step}")
    decoded = (codes * step).astype(np.float32)
    error = _largest_difference(decoded, logits)
    return Codes(codes.astype(np.int64), maxima, doubts(logits), error)


def _from_halves(codes: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    halves = (codes | 0x8000).astype(np.uint16).view(np.float16)
    return maxima[..., None] + halves.astype(np.float32)


def _largest_difference(decoded: np.ndarray, logits: np.ndarray) -> float:
    return float(np.abs(decoded - logits).max(initial=0))


def encode_blocks(hashes: np.ndarray, codes: Codes, codec: str) -> list[bytes]:
    """The stored bytes of N blocks of V views each: hashes N×V u64, codes N×V×C."""
    blocks, views, width = codes.codes.shape
    high, low = _split(codes.codes, codec)
    references = reference_rows(high)
    zeros = np.zeros((1, width), np.int64)
    alone = EncodedRows(high.reshape(-1, width), zeros)
    # Each block's reference row, then its rows, apart from it.
    grouped = np.concatenate([references[:, None], high], axis=1).reshape(-1, width)
    bases = np.repeat(references, views + 1, axis=0)
    bases[:: views + 1] = 0
    apart = EncodedRows(grouped, bases)
    alone_sizes = alone.sizes.reshape(blocks, views)
    apart_sizes = apart.sizes.reshape(blocks, views + 1)
    use_reference = apart_sizes.sum(1) < alone_sizes.sum(1)
    packed = {
        True: apart.pack(np.flatnonzero(np.repeat(use_reference, views + 1))).tobytes(),
        False: alone.pack(np.flatnonzero(np.repeat(~use_reference, views))).tobytes(),
    }
    side = codes.maxima.astype("<f4") if codec == "fp16" else codes.doubts.astype("<u2")
    used = {True: 0, False: 0}
    stored = []
    for block in range(blocks):
        kind = bool(use_reference[block])
        sizes = apart_sizes[block] if kind else np.append(0, alone_sizes[block])
        start = used[kind]
        used[kind] += int(sizes.sum())
        lengths = b"".join(variable_length(size) for size in sizes.tolist())
        beside = b"" if codec == "fp32" else side[block].tobytes()
        parts = [hashes[block].astype("<u8").tobytes(), beside, low[block].tobytes(), lengths]
        stored.append(b"".join(parts) + packed[kind][start : used[kind]])
    return stored


def _split(codes: np.ndarray, codec: str) -> tuple[np.ndarray, np.ndarray]:
    """High parts (int64) and low parts (bytes) of codes N×V×C."""
    if codec == "fp32":
        bits = codes & 0xFFFFFFFF
        turned = (bits << 1 | bits >> 31) & 0xFFFFFFFF
        low = np.stack([turned >> shift & 0xFF for shift in (0, 8, 16)], axis=-1)
        return turned >> 24, low.astype(np.uint8)
    if codec == "fp16":
        return codes >> 8, (codes & 0xFF).astype(np.uint8)
    return codes, np.zeros((codes.shape[0], 0), np.uint8)


@dataclass
class StoredRows:
    """What a cache holds about some views."""

    logits: np.ndarray  # N×C fp32
    labels: np.ndarray  # N int64
    pixel_hashes: np.ndarray  # N uint64
    # As stored, fp32; None where the codec stores none because the logits give it.
    stored_confidences: Optional[np.ndarray]

    @staticmethod
    def joined(parts: list[StoredRows], classes: int) -> StoredRows:
        """The rows of all parts, which have one codec, one after the other."""
        if not parts:
            none = np.zeros(0, np.int64)
            return StoredRows(
                np.zeros((0, classes), np.float32), none, none.astype(np.uint64), None
            )
        stored = [p.stored_confidences for p in parts if p.stored_confidences is not None]
        return StoredRows(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.pixel_hashes for part in parts]),
            np.concatenate(stored) if stored else None,
        )

    @property
    def confidences(self) -> np.ndarray:
        """Max softmax at temperature 1 of each view, fp32."""
        stored = self.stored_confidences
        return confidences(self.logits) if stored is None else stored


def decode_views(
    records: Sequence[Bytes],
    keys: np.ndarray,
    block: np.ndarray,
    index: np.ndarray,
    codec: str,
    classes: int,
) -> StoredRows:
    """Decodes view `index[i]` of record `block[i]` for each i.

    `records` are headers with stored bytes whose checksums were compared, `keys` those that their
    places say.
    """
    sizes = np.array([len(record) for record in records])
    data = np.frombuffer(b"".join(records) + SPARE, np.uint8)
    starts = np.cumsum(sizes) - sizes
    headers = np.frombuffer(b"".join([record[:HEADER_BYTES] for record in records]), HEADER)
    counts = headers["count"].astype(np.int64)
    check_headers(headers, keys, ENCODINGS[codec], classes, counts * classes)
    if (index >= counts[block]).any():
        raise MalformedRecord("its block ends before it")

    body = starts + HEADER_BYTES
    side = body + counts * 8
    low = side + counts * SIDE_BYTES[codec]
    table = low + counts * classes * LOW_BYTES[codec]
    limits = starts + sizes
    if (table + counts + 1 > limits).any():
        raise MalformedRecord("a record is too short for its views")
    edges = _row_edges(data, table, counts, limits)

    with_reference = np.flatnonzero(edges[:, 1] > edges[:, 0])
    rows = decode_rows(
        data,
        np.concatenate([edges[with_reference, 0], edges[block, index + 1]]),
        np.concatenate([edges[with_reference, 1], edges[block, index + 2]]),
        classes,
    )
    references = np.zeros((len(records), classes), np.int32)
    references[with_reference] = rows[: with_reference.size]
    codes = rows[with_reference.size :] + references[block]

    view = windows(data)
    hashes = view[body[block] + 8 * index].astype(np.uint64)
    labels = headers["label"].astype(np.int64)[block]
    stored = None
    if codec in STEPS:
        logits = (codes.astype(np.float64) * STEPS[codec]).astype(np.float32)
        halves = view[side[block] + 2 * index].astype(np.uint16).view(np.float16)
        stored = np.float32(1) - halves.astype(np.float32)
    elif codec == "fp16":
        maxima = view[side[block] + 4 * index].astype(np.uint32).view(np.float32)
        lows = _low_parts(data, low[block] + index * classes, classes)
        logits = _from_halves((codes << 8) & 0x7FFF | lows, maxima)
    else:
        lows = _low_parts(data, low[block] + index * classes * 3, classes * 3)
        lows = lows.reshape(-1, classes, 3).astype(np.uint32)
        turned = codes.astype(np.uint32) << np.uint32(24)
        turned |= lows[..., 2] << np.uint32(16) | lows[..., 1] << np.uint32(8) | lows[..., 0]
        logits = (turned >> np.uint32(1) | turned << np.uint32(31)).view(np.float32)
    return StoredRows(logits, labels, hashes, stored)


def _low_parts(data: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    return data[starts[:, None] + np.arange(size)]


def _row_edges(
    data: np.ndarray, table: np.ndarray, counts: np.ndarray, limits: np.ndarray
) -> np.ndarray:
    """Where the reference row and the rows of each record begin and end: records × (BLOCK + 2).

    Columns past a record's last row repeat its end.
    """
    # The digits that end a number have no top bit; the record's numbers end at the first n + 1.
    span = np.minimum(limits - table, (BLOCK + 1) * 5)
    places = table[:, None] + np.arange(int(span.max()))
    last = data[np.minimum(places, data.size - 1)] < 0x80
    last &= np.arange(places.shape[1]) < span[:, None]
    order = np.cumsum(last, axis=1)
    if (order[:, -1] < counts + 1).any():
        raise MalformedRecord("a record ends inside its table of lengths")
    rows, columns = np.nonzero(last & (order <= counts[:, None] + 1))
    number = np.arange(BLOCK + 1)
    ends = np.repeat(table[:, None] + 1, number.size, axis=1)
    ends[rows, order[rows, columns] - 1] += columns
    begins = np.concatenate([table[:, None], ends[:, :-1]], axis=1)
    wanted = number <= counts[:, None]
    values, sizes = variable_lengths(windows(data)[np.where(wanted, begins, table[:, None])])
    if (sizes != ends - begins)[wanted].any():
        raise MalformedRecord("a length has too many digits")
    lengths = np.where(wanted, values.astype(np.int64), 0)
    first = ends[np.arange(counts.size), counts]
    edges = first[:, None] + np.cumsum(lengths, axis=1)
    if (edges[:, -1] != limits).any():
        raise MalformedRecord("bytes follow the last row, or are missing")
    return np.concatenate([first[:, None], edges], axis=1)
