#!/usr/bin/env python3
"""Writes Tests/TeacherCacheTests/Fixtures/records.json: the bytes that the cache format promises.

An independent writer of fingerprints, records and content hashes, after the documentation in
Sources/TeacherCache. Needs numpy and xxhash; the planes of features are too small for zstd to shrink.
"""

import hashlib
import json
import pathlib
import struct

import numpy as np
import xxhash

KINDS = {"plain": 0, "weak": 1, "strong": 2, "crop": 3}
STEPS = {"q8": 0.12, "coarse": 0.25}
ENCODINGS = {"fp32": 0, "fp16": 1, "q8": 2, "coarse": 3}


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return 2 * value if value >= 0 else -2 * value - 1


def key(image, kind, number):
    return struct.pack(">I", image) + bytes([KINDS[kind]]) + number.to_bytes(3, "big")


def record(record_key, encoding, count, label, width, raw, stored):
    head = record_key + struct.pack("<BBHHHII", 1, encoding, count, label, width, raw, len(stored))
    return head + stored + struct.pack("<Q", xxhash.xxh3_64_intdigest(head + stored))


def plane(values):
    return struct.pack("<I", len(values)) + bytes(values)


def mean(codes):
    return (2 * sum(codes) + len(codes)) // (2 * len(codes))


def row(codes, reference):
    average = mean(codes)
    symbols = [zigzag(c - average - r) for c, r in zip(codes, reference)]
    cost = lambda k: sum(56 if u >> k >= 24 else (u >> k) + 1 + k for u in symbols)
    k = min(range(25), key=cost)
    bits = []
    for u in symbols:
        if u >> k >= 24:
            bits += [1] * 24 + [u >> i & 1 for i in range(32)]
        else:
            bits += [1] * (u >> k) + [0] + [u >> i & 1 for i in range(k)]
    packed = np.packbits(bits, bitorder="little").tobytes()
    return varint(zigzag(average)) + bytes([k]) + packed


def quantize(z, codec):
    """Codes, max z, half(1 - confidence)."""
    if codec == "fp32":
        return [int(v) for v in z.view(np.int32)], np.float32(0), 0
    if codec == "fp16":
        halves = (z - z.max()).astype(np.float16).view(np.uint16) & 0x7FFF
        return [int(v) for v in halves], z.max(), 0
    wide = z.astype(np.float64)
    doubt = np.float32(1 - 1 / np.exp(wide - wide.max()).sum()).astype(np.float16)
    return [int(v) for v in np.rint(wide / STEPS[codec])], np.float32(0), int(doubt.view(np.uint16))


def logits(rows, hashes, codec):
    views = [quantize(z, codec) for z in rows]
    stored = struct.pack(f"<{len(hashes)}Q", *hashes)
    codes = [v[0] for v in views]
    high = codes
    if codec == "fp32":
        bits = np.array(codes, np.int64).astype(np.uint64) & 0xFFFFFFFF
        turned = (bits << 1 | bits >> 31) & 0xFFFFFFFF
        stored += b"".join(int(v).to_bytes(4, "little")[:3] for v in turned.ravel())
        high = (turned >> 24).astype(int).tolist()
    elif codec == "fp16":
        stored += b"".join(struct.pack("<f", v[1]) for v in views)
        stored += bytes(c & 255 for r in codes for c in r)
        high = [[c >> 8 for c in r] for r in codes]
    else:
        stored += b"".join(struct.pack("<H", v[2]) for v in views)
    zeros = [0] * len(codes[0])
    alone = [b""] + [row(c, zeros) for c in high]
    sums = [sum(c[i] - mean(c) for c in high) for i in range(len(zeros))]
    reference = [(2 * s + len(high)) // (2 * len(high)) for s in sums]
    apart = [row(reference, zeros)] + [row(c, reference) for c in high]
    best = apart if sum(map(len, apart)) < sum(map(len, alone)) else alone
    stored += b"".join(varint(len(r)) for r in best) + b"".join(best)
    return views, stored


def features(values, precision, pixel_hash):
    """Stored bytes and those that enter the content hash; values H x W x C."""
    height, width, channels = values.shape
    head = struct.pack("<QHH", pixel_hash, height, width)
    flat = values.ravel()
    if precision == "fp32":
        bits = flat.view(np.uint32).astype(np.uint64)
        turned = (bits << 1 | bits >> 31) & 0xFFFFFFFF
        planes = [(turned >> s & 255).astype(np.uint8) for s in (24, 16, 8, 0)]
    elif precision == "fp16":
        bits = flat.astype(np.float16).view(np.uint16)
        planes = [(bits >> 8).astype(np.uint8), (bits & 255).astype(np.uint8)]
    else:
        signed = bool((flat < 0).any())
        limit = 127 if signed else 255
        scales = np.abs(values).max((0, 1)).astype(np.float32) / np.float32(limit)
        codes = np.rint(values.astype(np.float64) / scales.astype(np.float64))
        codes = np.clip(codes, -limit, limit).astype(np.int64)
        head += bytes([signed]) + scales.astype("<f4").tobytes()
        planes = [(codes.ravel() & 255).astype(np.uint8)]
    return head + b"".join(map(plane, planes)), head + b"".join(p.tobytes() for p in planes)


def sample(rows, classes):
    """Logits that any program can make: exact multiples of 1/64, siblings alike."""
    return np.array(
        [
            [((c * 37 + 11) % 61 - 30) / 4 + ((v * 29 + c * 53) % 31 - 15) / 64 for c in range(classes)]
            for v in range(rows)
        ],
        np.float32,
    )


def main():
    identity = {
        "formatVersion": 1,
        "dataset": "cifar100",
        "datasetHash": "ab" * 32,
        "classes": 12,
        "height": 32,
        "width": 32,
        "augmentations": {"weak": "cifar-crop-flip@1", "strong": "cifar-randaugment-cutout@1"},
        "viewSeed": 7,
        "teacherArchitecture": "resnet56",
        "teacherWeights": "cd" * 32,
        "teacherMean": [0.5, 0.25, 0.125],
        "teacherStd": [0.25, 0.5, 1.0],
        "logits": "q8",
        "featurePrecision": "fp16",
    }
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    fixture = {
        "canonical": canonical,
        "fingerprint": hashlib.sha256(canonical.encode()).hexdigest(),
        "records": {},
        "decoded": {},
        "features": {},
    }
    hashes = [0x0123456789ABCDEF + v for v in range(3)]
    rows = sample(3, 12)
    total = 0
    for codec, encoding in ENCODINGS.items():
        views, stored = logits(rows, hashes, codec)
        block = record(key(70000, "weak", 5), encoding, 3, 42, 12, 144, stored)
        fixture["records"][codec] = block.hex()
        if codec in STEPS:
            decoded = np.array([v[0] for v in views], np.float64) * STEPS[codec]
            decoded = decoded.astype(np.float32)
        elif codec == "fp16":
            halves = np.array([v[0] for v in views], np.uint16) | 0x8000
            decoded = np.array([[v[1]] for v in views]) + halves.view(np.float16).astype(np.float32)
        else:
            decoded = rows
        fixture["decoded"][codec] = [int(b) for b in decoded.ravel().view(np.uint32)]
        if codec == "q8":
            for number, (codes, maximum, doubt) in enumerate(views):
                item = b"L" + key(70000, "weak", 5 + number) + struct.pack("<HQ", 42, hashes[number])
                item += struct.pack("<fH", maximum, doubt) + struct.pack("<12i", *codes)
                total += int.from_bytes(hashlib.sha256(item).digest(), "little")
    values = sample(4, 3).reshape(2, 2, 3)
    for precision, encoding in {"fp32": 16, "fp16": 17, "q8": 18}.items():
        stored, expanded = features(values, precision, hashes[0])
        block = record(key(70000, "plain", 0), encoding, 1, 42, 3, 48, stored)
        fixture["features"][precision] = block.hex()
        if precision == "fp16":
            item = b"F\x06stage1" + key(70000, "plain", 0) + struct.pack("<H", 42) + expanded
            total += int.from_bytes(hashlib.sha256(item).digest(), "little")
    content = (total % 2**256).to_bytes(32, "little")
    fixture["content"] = content.hex()
    fixture["contentHash"] = hashlib.sha256(b"teacher-cache content 1" + content).hexdigest()
    root = pathlib.Path(__file__).resolve().parents[2]
    path = root / "Tests/TeacherCacheTests/Fixtures/records.json"
    path.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
