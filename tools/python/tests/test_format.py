"""The byte format, against a second implementation of it and the fixtures of the Swift tests."""

import math
import unittest

import support
from support import same_bits

import numpy as np
from teacher_cache import identity, records
from teacher_cache.confidence import confidences, doubts, exponential
from teacher_cache.content import ContentSum
from teacher_cache.errors import MalformedRecord
from teacher_cache.features import decode_features, encode_features, pack_planes
from teacher_cache.logits import LOW_BYTES, decode_views, encode_blocks, quantize
from teacher_cache.manifest import TapShape
from teacher_cache.ranges import IndexRanges
from teacher_cache.rows import EncodedRows, decode_rows

KEY = 70000 << 32 | 1 << 24 | 5
PLAIN_KEY = 70000 << 32


class Fixtures(unittest.TestCase):
    """tools/reference/cache_record.py wrote them; the Swift tests read them too."""

    def setUp(self):
        self.fixture = support.fixture("TeacherCacheTests/Fixtures/records.json")
        self.reference = support.load_reference("cache_record")
        self.rows = self.reference.sample(3, 12)
        self.hashes = np.array([0x0123456789ABCDEF + v for v in range(3)], np.uint64)

    def test_the_fingerprint(self):
        found = identity.CacheIdentity(
            dataset="cifar100", datasetHash="ab" * 32, classes=12, height=32, width=32,
            augmentations={"weak": "cifar-crop-flip@1", "strong": "cifar-randaugment-cutout@1"},
            viewSeed=7, teacherArchitecture="resnet56", teacherWeights="cd" * 32,
            teacherMean=(0.5, 0.25, 0.125), teacherStd=(0.25, 0.5, 1.0), logits="q8",
            featurePrecision="fp16",
        )  # fmt: skip
        self.assertEqual(found.fingerprint, self.fixture["fingerprint"])

    def test_records_of_logits_both_ways(self):
        for codec, text in self.fixture["records"].items():
            with self.subTest(codec):
                codes = quantize(self.rows[None], codec, "")
                stored = encode_blocks(self.hashes[None], codes, codec)[0]
                encoding = records.ENCODINGS[codec]
                record = records.seal(KEY, encoding, 3, 42, 12, 144, stored)
                self.assertEqual(record.hex(), text)
                found = decode_views(
                    [records.open_record(bytes.fromhex(text))], np.array([KEY], np.uint64),
                    np.zeros(3, np.int64), np.arange(3), codec, 12,
                )  # fmt: skip
                expected = np.array(self.fixture["decoded"][codec], np.uint32).view(np.float32)
                self.assertTrue(same_bits(found.logits.reshape(-1), expected))
                self.assertEqual(found.labels.tolist(), [42] * 3)
                self.assertTrue(np.array_equal(found.pixel_hashes, self.hashes))

    def test_records_of_features_both_ways(self):
        values = self.reference.sample(4, 3).reshape(2, 2, 3)
        shape = TapShape("stage1", 2, 2, 3)
        for precision, text in self.fixture["features"].items():
            with self.subTest(precision):
                head, planes = encode_features(values, precision, int(self.hashes[0]), "")
                encoding = records.FEATURE_ENCODINGS[precision]
                stored = pack_planes(head, planes)
                record = records.seal(PLAIN_KEY, encoding, 1, 42, 3, 48, stored)
                self.assertEqual(record.hex(), text)
                opened = [records.open_record(bytes.fromhex(text))]
                found, hashes = decode_features(
                    opened, np.array([PLAIN_KEY], np.uint64), shape, precision
                )
                self.assertEqual(int(hashes[0]), int(self.hashes[0]))
                bound = {"fp32": 0, "fp16": 0.008, "q8": 0.04}[precision]
                self.assertLessEqual(np.abs(found[0] - values).max(), bound)

    def test_the_content_hash(self):
        total = ContentSum()
        keys = np.array([KEY + v for v in range(3)], np.uint64)
        total.add_logits(keys, np.full(3, 42), self.hashes, quantize(self.rows, "q8", ""))
        values = self.reference.sample(4, 3).reshape(2, 2, 3)
        head, planes = encode_features(values, "fp16", int(self.hashes[0]), "")
        total.add_features("stage1", PLAIN_KEY, 42, head + b"".join(planes))
        self.assertEqual(total.hex, self.fixture["content"])
        self.assertEqual(total.content_hash, self.fixture["contentHash"])


class Random(unittest.TestCase):
    def test_blocks_equal_those_of_the_reference_and_come_back(self):
        reference = support.load_reference("cache_record")
        random = np.random.default_rng(0)
        for codec in LOW_BYTES:
            for trial in range(30):
                blocks, views, classes = (int(random.integers(1, n)) for n in (4, 33, 120))
                scale = 10.0 ** random.integers(-4, 4)
                rows = random.normal(size=(blocks, views, classes))
                rows = (rows + 3 * random.normal(size=(blocks, 1, classes))) * scale
                # Codes far from their row's mean, which are escaped.
                rows[..., random.integers(classes)] += 30_000 * (trial % 5 == 0)
                rows = rows.astype(np.float32)
                hashes = random.integers(0, 2**63, (blocks, views)).astype(np.uint64)
                codes = quantize(rows, codec, "")
                stored = encode_blocks(hashes, codes, codec)
                expected = [
                    reference.logits(row, own.tolist(), codec)[1] for row, own in zip(rows, hashes)
                ]
                self.assertEqual(stored, expected, (codec, trial))
                keys = np.arange(blocks, dtype=np.uint64) << np.uint64(32)
                opened = [
                    records.open_record(
                        records.seal(
                            int(key), records.ENCODINGS[codec], views, 7, classes,
                            views * classes * 4, part,
                        )  # fmt: skip
                    )
                    for key, part in zip(keys, stored)
                ]
                block, index = np.divmod(random.permutation(blocks * views), views)
                found = decode_views(opened, keys, block, index, codec, classes)
                self.assertTrue(np.array_equal(found.pixel_hashes, hashes[block, index]))
                error = np.abs(found.logits - rows[block, index]).max()
                self.assertEqual(float(error), codes.error)

    def test_every_changed_bit_of_a_record_is_found(self):
        rows = np.random.default_rng(1).normal(size=(1, 3, 10)).astype(np.float32)
        stored = encode_blocks(np.ones((1, 3), np.uint64), quantize(rows, "q8", ""), "q8")[0]
        record = records.seal(KEY, 2, 3, 42, 10, 120, stored)
        for bit in range(len(record) * 8):
            changed = bytearray(record)
            changed[bit // 8] ^= 1 << bit % 8
            with self.assertRaises(MalformedRecord):
                records.open_record(bytes(changed))

    def test_rows_that_end_elsewhere_are_refused(self):
        codes = np.array([[5, -3, 0, 40, 1]])
        row = EncodedRows(codes, np.zeros((1, 5), np.int64)).pack(np.array([0]))
        data = np.concatenate([row, np.zeros(16, np.uint8)])
        starts, size = np.array([0]), row.size
        self.assertEqual(decode_rows(data, starts, np.array([size]), 5).tolist(), codes.tolist())
        for end in (size - 1, size + 1, 2, 0):
            with self.assertRaises(MalformedRecord):
                decode_rows(data, starts, np.array([end]), 5)
        for width in (4, 6, 400):
            with self.assertRaises(MalformedRecord):
                decode_rows(data, starts, np.array([size]), width)
        data[size - 1] |= 0x80
        with self.assertRaises(MalformedRecord):
            decode_rows(data, starts, np.array([size]), 5)


class Confidence(unittest.TestCase):
    def test_the_exponential_is_that_of_mathematics(self):
        x = -np.concatenate([np.linspace(0, 40, 9999), np.linspace(40, 708, 999), [1e300, 746]])
        expected = np.array([math.exp(value) for value in x])
        self.assertTrue((np.abs(exponential(x) - expected) <= 2 * np.spacing(expected)).all())

    def test_its_bits_are_those_of_the_swift_programs(self):
        # Printed by `exponential` of Sources/Tensors.
        bits = {
            -0.35099355355702294: 0x3FE68712746574BC,
            -0.08115621946364973: 0x3FED816E3E1CBD62,
            -743.001289430022: 0x0000000000000004,
        }
        found = exponential(np.array(list(bits))).view(np.uint64).tolist()
        self.assertEqual(found, list(bits.values()))

    def test_confidence_and_doubt(self):
        logits = np.array([[0, 0, 0, 0], [9, 9, -9, -9], [100, 0, 0, 0]], np.float32)
        self.assertTrue(np.allclose(confidences(logits), [0.25, 0.5, 1]))
        halves = doubts(logits).view(np.float16)
        self.assertTrue(np.allclose(halves, [0.75, 0.5, 0]))


class Texts(unittest.TestCase):
    def test_floats_are_written_as_swift_describes_them(self):
        expected = {
            1e-5: "1e-05", 1e-4: "0.0001", 0.1307: "0.1307", 1: "1.0", 0: "0.0",
            16777216: "16777216.0", 33554432: "3.3554432e+07", 1e8: "1e+08", -1.5e-10: "-1.5e-10",
            123456.79: "123456.79", 3.4e38: "3.4e+38", 9999999: "9999999.0",
        }  # fmt: skip
        for value, text in expected.items():
            self.assertEqual(identity.float_text(value), text)

    def test_ranges(self):
        self.assertEqual(str(IndexRanges.of([7, 3, 4, 5, 9])), "3-5,7,9")
        self.assertEqual(IndexRanges.parse("3-5,7,9").numbers().tolist(), [3, 4, 5, 7, 9])
        self.assertEqual(str(IndexRanges.parse("")), "")
        for text in ("5-3", "3,3", "3,4", "03", "3-3", "a", "-1", "16777216", "3,", "1-2-3"):
            with self.assertRaises(ValueError, msg=text):
                IndexRanges.parse(text)


if __name__ == "__main__":
    unittest.main()
