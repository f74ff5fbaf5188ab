internal import Crypto
internal import FileIO

/// A hash of a set of records that does not depend on their order or on how they were cut.
///
/// The SHA-256 digests of the records, as little-endian numbers, are added modulo 2^256. A record
/// is hashed as
///
/// * logits: `L`, key (8 bytes), label u16, pixel hash u64, max z f32, half(1 − confidence) u16,
///   codes i32 × C — what `QuantizedRow` holds, 0 where a codec has none;
/// * features: `F`, length of the tap's name u8, name, key, label u16, stored bytes with each
///   plane expanded and without its length.
struct ContentSum: Equatable {
  private(set) var words: [UInt64] = [0, 0, 0, 0]

  init() {}

  /// The sum of 64 hex digits, as `hexadecimal` writes it.
  init?(_ text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: 64, by: 2) {
      guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(byte)
    }
    add(bytes)
  }

  /// The sum whose `bytes` these 32 are.
  init(_ bytes: some BidirectionalCollection<UInt8>) {
    precondition(bytes.count == 32, "a sum has 32 bytes, not \(bytes.count)")
    add(bytes)
  }

  static func + (left: Self, right: Self) -> Self {
    var sum = left
    sum.add(right.bytes)
    return sum
  }

  mutating func add(logits view: LogitView, key: RecordKey, label: Int) {
    var bytes = [UInt8(ascii: "L")]
    bytes.reserveCapacity(32 + view.row.codes.count * 4)
    bytes.append(contentsOf: key.bytes)
    bytes.append(littleEndian: UInt16(label))
    bytes.append(littleEndian: view.pixelHash)
    bytes.append(littleEndian: view.row.maximum.bitPattern)
    bytes.append(littleEndian: view.row.doubt)
    view.row.codes.withUnsafeBytes { bytes.append(contentsOf: $0) }
    add(hashing: bytes)
  }

  mutating func add(features expanded: [UInt8], tap: String, key: RecordKey, label: Int) {
    var bytes = [UInt8(ascii: "F"), UInt8(tap.utf8.count)] + Array(tap.utf8)
    bytes.append(contentsOf: key.bytes)
    bytes.append(littleEndian: UInt16(label))
    bytes.append(contentsOf: expanded)
    add(hashing: bytes)
  }

  private mutating func add(hashing bytes: [UInt8]) {
    SHA256.hash(data: bytes).withUnsafeBytes { add($0) }
  }

  private mutating func add(_ digest: some BidirectionalCollection<UInt8>) {
    var carry: UInt64 = 0
    for (index, start) in stride(from: 0, to: 32, by: 8).enumerated() {
      let word = UInt64(littleEndianBytes: digest.dropFirst(start).prefix(8))
      let (first, overflow) = words[index].addingReportingOverflow(word)
      let (second, again) = first.addingReportingOverflow(carry)
      words[index] = second
      carry = overflow || again ? 1 : 0
    }
  }

  var bytes: [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }

  var text: String { FileIO.hexadecimal(bytes) }

  /// What `info` shows: SHA-256 of `teacher-cache content 1` and the sum's 32 bytes.
  var contentHash: String {
    FileIO.hexadecimal(SHA256.hash(data: Array("teacher-cache content 1".utf8) + bytes))
  }
}
