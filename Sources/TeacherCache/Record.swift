internal import CXXHash
internal import Datasets
internal import FileIO

/// The name of a record inside a table: image id, kind, first round.
///
/// Eight bytes, big-endian, so that byte order is (image, kind, round): image u32, kind u8
/// (0 plain, 1 weak, 2 strong, 3 crop), round u24.
struct RecordKey: Hashable, Comparable {
  let value: UInt64

  init(value: UInt64) { self.value = value }

  init(image: Int, view: View) {
    precondition((0..<IndexRanges.limit).contains(image), "image id \(image) does not fit a key")
    precondition((0..<1 << 24).contains(view.round), "\(view) does not fit a key")
    value =
      UInt64(image) << 32 | UInt64(view.kind.rawValue) << 24 | UInt64(view.round)
  }

  var image: Int { Int(value >> 32) }
  var kindByte: UInt8 { UInt8(truncatingIfNeeded: value >> 24) }
  var round: Int { Int(value & 0xFF_FFFF) }
  var bytes: [UInt8] { Swift.withUnsafeBytes(of: value.bigEndian) { Array($0) } }
  static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// How a record's stored bytes are coded.
enum RecordEncoding: UInt8 {
  case fp32Logits = 0
  case fp16Logits = 1
  case q8Logits = 2
  case coarseLogits = 3
  case fp32Features = 16
  case fp16Features = 17
  case q8Features = 18

  init(_ codec: LogitCodec) {
    self =
      switch codec {
      case .fp32: .fp32Logits
      case .fp16: .fp16Logits
      case .q8: .q8Logits
      case .coarse: .coarseLogits
      }
  }

  init(_ precision: FeaturePrecision) {
    self =
      switch precision {
      case .fp32: .fp32Features
      case .fp16: .fp16Features
      case .q8: .q8Features
      }
  }
}

/// The 24 bytes before a record's stored bytes; a checksum of 8 follows them.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | key, big-endian; all that follows is little-endian |
/// | 8 | 1 | record version, 1 |
/// | 9 | 1 | encoding |
/// | 10 | 2 | views in the record |
/// | 12 | 2 | label of the image |
/// | 14 | 2 | classes, or channels |
/// | 16 | 4 | raw length: bytes of the decoded fp32 values |
/// | 20 | 4 | stored length n |
/// | 24 | n | stored bytes |
/// | 24 + n | 8 | XXH3-64 of the 24 + n bytes before |
struct RecordHeader: Equatable {
  static let size = 24
  static let overhead = size + 8
  static let version: UInt8 = 1
  /// More decoded or stored bytes than any record has.
  static let rawLimit = 16 << 20

  let key: RecordKey
  let encoding: RecordEncoding
  let count: Int
  let label: Int
  let width: Int
  let rawLength: Int

  init(
    key: RecordKey, encoding: RecordEncoding, count: Int, label: Int, width: Int, rawLength: Int
  ) {
    self.key = key
    self.encoding = encoding
    self.count = count
    self.label = label
    self.width = width
    self.rawLength = rawLength
  }

  init(logits key: RecordKey, _ codec: LogitCodec, views: Int, classes: Int, label: Int) {
    self.init(
      key: key, encoding: RecordEncoding(codec), count: views, label: label, width: classes,
      rawLength: views * classes * 4)
  }

  init(features key: RecordKey, _ precision: FeaturePrecision, _ shape: TapShape, label: Int) {
    self.init(
      key: key, encoding: RecordEncoding(precision), count: 1, label: label,
      width: shape.channels, rawLength: shape.count * 4)
  }

  /// Adds the whole record to `bytes`.
  func seal(_ stored: [UInt8], into bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(contentsOf: key.bytes)
    bytes.append(Self.version)
    bytes.append(encoding.rawValue)
    bytes.append(littleEndian: UInt16(count))
    bytes.append(littleEndian: UInt16(label))
    bytes.append(littleEndian: UInt16(width))
    bytes.append(littleEndian: UInt32(rawLength))
    bytes.append(littleEndian: UInt32(stored.count))
    bytes.append(contentsOf: stored)
    let checksum = bytes.withUnsafeBytes {
      XXH3_64bits($0.baseAddress?.advanced(by: start), $0.count - start)
    }
    bytes.append(littleEndian: checksum)
  }

  /// Checks the record that `bytes` begins with and gives its header and stored bytes.
  ///
  /// Lengths are bounded first, then the checksum is compared, then the fields are believed.
  static func open(
    _ bytes: UnsafeRawBufferPointer
  ) throws(MalformedRecord) -> (header: RecordHeader, stored: UnsafeRawBufferPointer) {
    guard bytes.count >= overhead else { throw MalformedRecord(reason: "a record is cut off") }
    let storedLength = Int(
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)))
    guard storedLength <= min(2 * rawLimit, bytes.count - overhead) else {
      throw MalformedRecord(reason: "a record of \(storedLength) bytes leaves its segment")
    }
    let end = size + storedLength
    let expected = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self))
    guard XXH3_64bits(bytes.baseAddress, end) == expected else {
      throw MalformedRecord(reason: "a record's checksum does not match its bytes")
    }
    guard bytes[8] == version else {
      throw MalformedRecord(reason: "record version \(bytes[8]), expected \(version)")
    }
    guard let encoding = RecordEncoding(rawValue: bytes[9]) else {
      throw MalformedRecord(reason: "record encoding \(bytes[9]) is unknown")
    }
    func half(_ offset: Int) -> Int {
      Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }
    let header = RecordHeader(
      key: RecordKey(value: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))),
      encoding: encoding, count: half(10), label: half(12), width: half(14),
      rawLength: Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
    )
    guard (1...RecordBlock.maximumViews).contains(header.count), header.width > 0,
      header.rawLength <= rawLimit
    else { throw MalformedRecord(reason: "a record's sizes are impossible") }
    return (header, UnsafeRawBufferPointer(rebasing: bytes[size..<end]))
  }
}

/// How many views share a record.
enum RecordBlock {
  /// At most; a random read checks and partly decodes one block.
  static let maximumViews = 32
}
