internal import Datasets
internal import FileIO
internal import LMDB

/// The LMDB tables of a unit.
enum RecordTable {
  static let logits = "logits"
  /// The unit's own account while it is written: `unit`, `state`.
  static let account = "account"
  /// Of one unit; with the other two tables as many as an environment may have.
  static let tapLimit = Int(Environment.maximumTables) - 2

  static func features(_ tap: String) -> String { "features/" + tap }

  static func isTapName(_ tap: String) -> Bool {
    (1...64).contains(tap.utf8.count)
      && tap.utf8.allSatisfy {
        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
          || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
      }
  }
}

/// Records in key order, gathered into one LMDB value.
///
/// LMDB puts every value above 2,020 bytes into whole pages, so that records of 1–4 KiB, one a
/// value, would take up to twice their size. Gathered they waste under 1 %. A segment is stored
/// under its first record's key (8 bytes):
///
/// u32 number of records m; m × (key u64 big-endian, offset in the segment u32); the records.
struct SegmentBuilder {
  /// Whole pages less LMDB's 16 bytes; a record that is larger has its own segment.
  static let limit = 128 * 4096 - 16

  let table: String
  private var directory: [UInt8] = []
  private var body: [UInt8] = []
  private var offsets: [Int] = []
  private(set) var firstKey: RecordKey?

  init(table: String) { self.table = table }

  var isEmpty: Bool { offsets.isEmpty }

  /// Whether a record of that size would make this segment too large.
  func isFull(for record: Int) -> Bool {
    !isEmpty && 4 + 12 * (offsets.count + 1) + body.count + record > Self.limit
  }

  mutating func append(_ header: RecordHeader, _ stored: [UInt8]) {
    if firstKey == nil { firstKey = header.key }
    directory.append(contentsOf: header.key.bytes)
    offsets.append(body.count)
    header.seal(stored, into: &body)
  }

  /// The segment's key and bytes; the builder is empty afterwards.
  mutating func take() -> (key: [UInt8], value: [UInt8])? {
    guard let firstKey else { return nil }
    var value: [UInt8] = []
    value.reserveCapacity(4 + 12 * offsets.count + body.count)
    value.append(littleEndian: UInt32(offsets.count))
    for (index, offset) in offsets.enumerated() {
      value.append(contentsOf: directory[index * 8..<index * 8 + 8])
      value.append(littleEndian: UInt32(4 + 12 * offsets.count + offset))
    }
    value.append(contentsOf: body)
    self = SegmentBuilder(table: table)
    return (firstKey.bytes, value)
  }
}

/// The segments of one table of a sealed unit, found by record key.
struct SegmentIndex: @unchecked Sendable {
  // Sound: the memory belongs to a sealed unit's map, which `UnitReader` keeps; it is only read,
  // and every offset is checked against the segment's length.
  private let firstKeys: [UInt64]
  let segments: [UnsafeRawBufferPointer]

  init(
    _ entries: [(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)]
  ) throws(MalformedRecord) {
    var keys: [UInt64] = []
    for (key, value) in entries {
      guard key.count == 8, value.count >= 4 + 12 + RecordHeader.overhead else {
        throw MalformedRecord(reason: "a segment of \(value.count) bytes")
      }
      let first = UInt64(bigEndian: key.loadUnaligned(as: UInt64.self))
      guard keys.last.map({ $0 < first }) ?? true else {
        throw MalformedRecord(reason: "segments out of order")
      }
      keys.append(first)
    }
    firstKeys = keys
    segments = entries.map(\.value)
  }

  /// The bytes of a segment in whole pages with LMDB's header.
  var pageBytes: Int { segments.reduce(0) { $0 + ($1.count + 16 + 4095) / 4096 * 4096 } }

  /// The record with the greatest key not above `key`: its key and the bytes from its start on.
  @inline(__always)
  func record(
    notAbove key: RecordKey
  ) throws(MalformedRecord) -> (key: RecordKey, bytes: UnsafeRawBufferPointer)? {
    var (low, high) = (0, firstKeys.count)
    while low < high {
      let middle = (low + high) / 2
      if firstKeys[middle] <= key.value { low = middle + 1 } else { high = middle }
    }
    if low == 0 { return nil }
    let segment = segments[low - 1]
    let count = try Self.recordCount(segment)
    var (first, end) = (0, count)
    while first < end {
      let middle = (first + end) / 2
      if Self.key(middle, segment).value <= key.value { first = middle + 1 } else { end = middle }
    }
    if first == 0 { throw MalformedRecord(reason: "a segment's first key is not its name") }
    return (Self.key(first - 1, segment), try Self.record(first - 1, of: count, segment))
  }

  /// The records of a segment in key order.
  static func records(
    _ segment: UnsafeRawBufferPointer
  ) throws(MalformedRecord) -> [(key: RecordKey, bytes: UnsafeRawBufferPointer)] {
    let count = try recordCount(segment)
    var records: [(key: RecordKey, bytes: UnsafeRawBufferPointer)] = []
    for index in 0..<count {
      records.append((key(index, segment), try record(index, of: count, segment)))
    }
    return records
  }

  private static func recordCount(_ segment: UnsafeRawBufferPointer) throws(MalformedRecord) -> Int
  {
    let count = Int(UInt32(littleEndian: segment.loadUnaligned(as: UInt32.self)))
    guard count > 0, count <= (segment.count - 4) / (12 + RecordHeader.overhead) else {
      throw MalformedRecord(reason: "a segment of \(segment.count) bytes says \(count) records")
    }
    return count
  }

  private static func key(_ index: Int, _ segment: UnsafeRawBufferPointer) -> RecordKey {
    RecordKey(
      value: UInt64(
        bigEndian: segment.loadUnaligned(fromByteOffset: 4 + 12 * index, as: UInt64.self)))
  }

  private static func record(
    _ index: Int, of count: Int, _ segment: UnsafeRawBufferPointer
  ) throws(MalformedRecord) -> UnsafeRawBufferPointer {
    func offset(_ index: Int) -> Int {
      Int(
        UInt32(
          littleEndian: segment.loadUnaligned(
            fromByteOffset: 12 + 12 * index, as: UInt32.self)))
    }
    let start = offset(index)
    let end = index + 1 < count ? offset(index + 1) : segment.count
    guard start >= 4 + 12 * count, end <= segment.count, end - start >= RecordHeader.overhead else {
      throw MalformedRecord(reason: "a record lies outside its segment")
    }
    return UnsafeRawBufferPointer(rebasing: segment[start..<end])
  }
}
