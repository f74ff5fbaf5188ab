import Datasets
import FileIO
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

@Suite struct RecordTests {
  /// What tools/reference/cache_record.py wrote.
  private struct Fixture: Decodable {
    let canonical: String
    let fingerprint: String
    let records: [String: String]
    let decoded: [String: [UInt32]]
    let features: [String: String]
    let content: String
    let contentHash: String

    static func load() throws -> Fixture {
      let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/records.json")
      return try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: path))
    }
  }

  /// As `sample` in the reference script.
  private func sample(_ rows: Int, _ classes: Int) -> [[Float]] {
    (0..<rows).map { v in
      (0..<classes).map { c -> Float in
        let common = Float((c * 37 + 11) % 61 - 30)
        let own = Float((v * 29 + c * 53) % 31 - 15)
        return common / 4 + own / 64
      }
    }
  }

  private let firstKey = RecordKey(image: 70_000, view: .weak(5))

  private func views(_ codec: LogitCodec) throws -> [LogitView] {
    try sample(3, 12).enumerated().map { index, row in
      LogitView(
        pixelHash: 0x0123_4567_89AB_CDEF + UInt64(index),
        row: try LogitQuantizer.quantize(row, codec: codec, what: ""))
    }
  }

  private func record(_ codec: LogitCodec) throws -> [UInt8] {
    let header = RecordHeader(
      key: firstKey, encoding: RecordEncoding(codec), count: 3, label: 42, width: 12,
      rawLength: 144)
    var bytes: [UInt8] = []
    header.seal(
      LogitRecord.encode(try views(codec), codec: codec), into: &bytes)
    return bytes
  }

  @Test(arguments: LogitCodec.allCases)
  func logitRecordsHaveTheBytesOfTheReference(codec: LogitCodec) throws {
    let fixture = try Fixture.load()
    let bytes = try record(codec)
    #expect(hexadecimal(bytes) == fixture.records[codec.rawValue])
    let block = LogitBlock()
    try bytes.withUnsafeBytes { bytes in
      try block.open(bytes, key: firstKey, codec: codec, classes: 12)
      var bits: [UInt32] = []
      for index in 0..<3 {
        var row = [Float](repeating: 0, count: 12)
        try block.logits(index, into: &row)
        bits += row.map(\.bitPattern)
      }
      #expect(bits == fixture.decoded[codec.rawValue])
    }
  }

  private let shape = TapShape(tap: "stage1", height: 2, width: 2, channels: 3)

  private func parts(_ precision: FeaturePrecision) throws -> FeatureRecord.Parts {
    try FeatureRecord.parts(
      Array(sample(4, 3).joined()), shape: shape, precision: precision,
      pixelHash: 0x0123_4567_89AB_CDEF, what: "")
  }

  @Test(arguments: FeaturePrecision.allCases)
  func featureRecordsHaveTheBytesOfTheReference(precision: FeaturePrecision) throws {
    let header = RecordHeader(
      key: RecordKey(image: 70_000, view: .plain), encoding: RecordEncoding(precision), count: 1,
      label: 42, width: 3, rawLength: 48)
    var bytes: [UInt8] = []
    header.seal(try parts(precision).stored(PlaneEncoder()), into: &bytes)
    #expect(hexadecimal(bytes) == (try Fixture.load().features[precision.rawValue]))
  }

  @Test func theContentHashIsThatOfTheReference() throws {
    var sum = ContentSum()
    sum.add(
      features: try parts(.fp16).expanded, tap: "stage1",
      key: RecordKey(image: 70_000, view: .plain), label: 42)
    for (index, view) in try views(.q8).enumerated().reversed() {
      sum.add(logits: view, key: RecordKey(value: firstKey.value + UInt64(index)), label: 42)
    }
    let fixture = try Fixture.load()
    #expect(sum.text == fixture.content)
    #expect(sum.contentHash == fixture.contentHash)
    #expect(ContentSum(sum.text) == sum)
  }

  @Test func theFingerprintIsThatOfTheReference() throws {
    let identity = CacheIdentity(
      dataset: "cifar100", datasetHash: String(repeating: "ab", count: 32), classes: 12,
      height: 32, width: 32,
      augmentations: [
        "strong": "cifar-randaugment-cutout@1", "weak": "cifar-crop-flip@1",
      ], viewSeed: 7, teacherArchitecture: "resnet56",
      teacherWeights: String(repeating: "cd", count: 32), teacherMean: [0.5, 0.25, 0.125],
      teacherStd: [0.25, 0.5, 1], logits: .q8, featurePrecision: .fp16)
    let fixture = try Fixture.load()
    #expect(identity.canonicalJSON == fixture.canonical)
    #expect(identity.fingerprint == fixture.fingerprint)
    #expect(identity.cacheID == String(fixture.fingerprint.prefix(16)))
  }

  @Test(arguments: LogitCodec.allCases)
  func everyFlippedBitOfARecordIsDetected(codec: LogitCodec) throws {
    var bytes = try record(codec)
    let block = LogitBlock()
    var silent = 0
    for bit in 0..<bytes.count * 8 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      let opened: Void? = bytes.withUnsafeBytes { bytes in
        try? block.open(bytes, key: firstKey, codec: codec, classes: 12)
      }
      if opened != nil { silent += 1 }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(silent == 0)
  }

  @Test(arguments: LogitCodec.allCases)
  func wronglyCodedRecordsWithRightChecksumsAreRefusedOrDecode(codec: LogitCodec) throws {
    let stored = LogitRecord.encode(try views(codec), codec: codec)
    let header = RecordHeader(
      key: firstKey, encoding: RecordEncoding(codec), count: 3, label: 42, width: 12,
      rawLength: 144)
    var stream = SplitMix64(state: 8)
    let block = LogitBlock()
    var row = [Float](repeating: 0, count: 12)
    for _ in 0..<20_000 {
      var damaged = stored
      for _ in 0...stream.next() % 4 {
        damaged[Int(stream.next() % UInt64(damaged.count))] = UInt8(
          truncatingIfNeeded: stream.next())
      }
      if stream.next() % 4 == 0 { damaged.removeLast(Int(stream.next() % UInt64(damaged.count))) }
      var bytes: [UInt8] = []
      header.seal(damaged, into: &bytes)
      bytes.withUnsafeBytes { bytes in
        guard (try? block.open(bytes, key: firstKey, codec: codec, classes: 12)) != nil else {
          return
        }
        for index in 0..<3 { try? block.logits(index, into: &row) }
      }
    }
  }

  /// Coding gives none of them and cannot take them: they would end a merge.
  @Test func codesBeyondTheLimitAreRefused() throws {
    let key = RecordKey(image: 1, view: .weak(0))
    for (code, isSound) in [(Int32(1 << 28) - 1, true), (1 << 28, false), (-1 << 28, false)] {
      var bytes: [UInt8] = []
      let view = LogitView(pixelHash: 7, row: QuantizedRow(codes: [code, 0, 5]))
      RecordHeader(logits: key, .q8, views: 1, classes: 3, label: 0)
        .seal(LogitRecord.encode([view], codec: .q8), into: &bytes)
      let block = LogitBlock()
      let read = try bytes.withUnsafeBytes { bytes -> LogitView? in
        try block.open(bytes, key: key, codec: .q8, classes: 3)
        return try? block.view(0)
      }
      #expect(read == (isSound ? view : nil), "\(code)")
    }
  }
}
