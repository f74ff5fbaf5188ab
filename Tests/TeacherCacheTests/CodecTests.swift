import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

@Suite struct CodecTests {
  /// Codes and decodes one block; gives the decoded rows and the stored size.
  private func roundTrip(
    _ rows: [[Float]], _ codec: LogitCodec
  ) throws -> (rows: [[Float]], bytes: Int) {
    let views = try rows.enumerated().map { index, row in
      LogitView(
        pixelHash: UInt64(index) + 99,
        row: try LogitQuantizer.quantize(row, codec: codec, what: "row \(index)"))
    }
    let key = RecordKey(image: 3, view: .weak(0))
    let classes = rows[0].count
    let header = RecordHeader(
      key: key, encoding: RecordEncoding(codec), count: rows.count, label: 1, width: classes,
      rawLength: rows.count * classes * 4)
    var bytes: [UInt8] = []
    header.seal(LogitRecord.encode(views, codec: codec), into: &bytes)
    let block = LogitBlock()
    let decoded = try bytes.withUnsafeBytes { bytes in
      try block.open(bytes, key: key, codec: codec, classes: classes)
      return try rows.indices.map { index in
        var row = [Float](repeating: .nan, count: classes)
        try block.logits(index, into: &row)
        #expect(try block.quantized(index) == views[index].row)
        #expect(block.pixelHash(index) == UInt64(index) + 99)
        return row
      }
    }
    return (decoded, bytes.count)
  }

  private static let oddRows: [[Float]] = [
    [0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude],
    [1, -1, 3.4e6, -3.4e6, 0.06],
    [-0.0, -0.0, -0.0, -0.0, -0.0],
    [5e-6, -5e-6, Float(bitPattern: 0x000a_e398), 12345.678, -60000],
  ]

  @Test(arguments: [1, 2, 16, 32])
  func fp32IsBitExact(views: Int) throws {
    var stream = SplitMix64(state: 5)
    let finite = { (bits: UInt32) in
      Float(bitPattern: bits & 0x7F80_0000 == 0x7F80_0000 ? bits ^ 0x4000_0000 : bits)
    }
    let rows = (0..<views).map { _ in
      (0..<101).map { _ in finite(UInt32(truncatingIfNeeded: stream.next())) }
    }
    let largest = Float.greatestFiniteMagnitude
    for rows in [rows, Self.oddRows, [[largest, -largest, 0]]] {
      let decoded = try roundTrip(rows, .fp32).rows
      #expect(decoded.map { $0.map(\.bitPattern) } == rows.map { $0.map(\.bitPattern) })
    }
  }

  #if arch(arm64) || os(Linux)
    @Test func everyHalfAndManyFloatsRoundAsIEEESays() {
      for bits in UInt16.min...UInt16.max where bits & 0x7C00 != 0x7C00 {
        #expect(HalfPrecision.value(bits).bitPattern == Float(Float16(bitPattern: bits)).bitPattern)
        #expect(HalfPrecision.bits(Float(Float16(bitPattern: bits))) == bits)
      }
      var stream = SplitMix64(state: 1)
      var wrong = 0
      for _ in 0..<1_000_000 {
        let bits = UInt32(truncatingIfNeeded: stream.next())
        let near = 0x3300_0000 + bits % 0x1500_0000
        for value in [Float(bitPattern: bits), Float(bitPattern: near)] where value.isFinite {
          if HalfPrecision.bits(value) != Float16(value).bitPattern { wrong += 1 }
        }
      }
      #expect(wrong == 0)
    }

    @Test func fp16IsTheBitExactHalfOfTheDistanceFromTheMaximum() throws {
      var stream = SplitMix64(state: 9)
      let random = (0..<32).map { _ in (0..<100).map { _ in stream.normal() * 6 } }
      for rows in [random, [[-0.0, 0, 1e-8, -1e-5, -60000], [2, 2, 2, -1, -2]]] {
        let decoded = try roundTrip(rows, .fp16).rows
        for (row, result) in zip(rows, decoded) {
          let maximum = try #require(row.max())
          let expected = row.map { maximum + Float(Float16($0 - maximum)) }
          #expect(result == expected)
        }
      }
    }
  #endif

  @Test(arguments: [LogitCodec.q8, .coarse])
  func stepsKeepTheirBoundAndNeverClamp(codec: LogitCodec) throws {
    let step = try #require(codec.step)
    var stream = SplitMix64(state: 2)
    let random = (0..<32).map { _ in (0..<100).map { _ in stream.normal() * 8 } }
    let alike = (0..<32).map { _ in random[0].map { $0 + stream.normal() / 2 } }
    let wide: [[Float]] = [[1e6, -1e6, 0, 3, -3], [31e6, -31e6, 31e6, 0, 0.05]]
    for rows in [random, alike, wide, Self.oddRows, [[0.06]], [[4.5, -2]]] {
      let decoded = try roundTrip(rows, codec).rows
      for (value, result) in zip(rows.joined(), decoded.joined()) {
        let rounding = Double(abs(value).ulp)
        #expect(abs(Double(result) - Double(value)) <= step / 2 + rounding)
      }
      let again = try roundTrip(decoded, codec).rows
      #expect(again == decoded)
    }
  }

  @Test(arguments: LogitCodec.allCases)
  func refusesLogitsThatAreNotFinite(codec: LogitCodec) {
    for bad in [Float.nan, .infinity, -.infinity] {
      let error = #expect(throws: CacheError.self) {
        _ = try LogitQuantizer.quantize([0, bad], codec: codec, what: "image 5, weak:2")
      }
      #expect(error?.description.contains("image 5, weak:2") == true)
    }
  }

  @Test func refusesWhatACodecCannotHold() {
    #expect(throws: CacheError.self) {
      try LogitQuantizer.quantize([0, -65_505], codec: .fp16, what: "")
    }
    #expect(throws: CacheError.self) {
      try LogitQuantizer.quantize([0, 4e7], codec: .q8, what: "")
    }
  }

  @Test(arguments: [LogitCodec.q8, .coarse])
  func storedConfidencesGiveTheMasksOfExactLogits(codec: LogitCodec) throws {
    var stream = SplitMix64(state: 4)
    var (rows, wrong) = (0, 0)
    for _ in 0..<20_000 {
      let scale = Float(1 + stream.next() % 6)
      let logits = (0..<20).map { _ in stream.normal() * scale }
      let exact = logits.withUnsafeBufferPointer(LogitQuantizer.confidence(of:))
      let doubt = try LogitQuantizer.quantize(logits, codec: codec, what: "").doubt
      let stored = LogitQuantizer.confidence(doubt: doubt)
      for threshold in [Float(0.5), 0.7, 0.9, 0.95, 0.99, 0.999] {
        rows += 1
        if (stored >= threshold) != (exact >= threshold) { wrong += 1 }
      }
    }
    #expect(Double(wrong) / Double(rows) <= 0.0005)
  }

  @Test(
    .enabled(if: hasRealLogits, "needs ../shared/weights/cifar100_resnet56.test-logits-256.npy"),
    arguments: [
      (LogitCodec.fp32, 375.0), (.fp16, 186), (.q8, 104), (.coarse, 90),
    ])
  func realLogitsOfUnlikeImagesAreSmall(codec: LogitCodec, limit: Double) throws {
    let file = try Data(contentsOf: realLogitsFile)
    let values = file.suffix(256 * 100 * 4).withUnsafeBytes { bytes in
      (0..<25_600).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
    var bytes = 0
    for block in 0..<8 {
      let rows = (0..<32).map { row in
        let first = (block * 32 + row) * 100
        return Array(values[first..<first + 100])
      }
      bytes += try roundTrip(rows, codec).bytes
    }
    #expect(Double(bytes) / 256 <= limit)
    print("\(codec): \(Double(bytes) / 256) bytes per view of unlike images")
  }
}
