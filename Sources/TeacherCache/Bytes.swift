internal import CXXHash

extension [UInt8] {
  /// Seven bits a byte, low bits first, the top bit set on all but the last.
  mutating func append(variableLength value: UInt32) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}

extension FixedWidthInteger {
  /// The number that `append(littleEndian:)` wrote as these bytes.
  @inline(__always)
  init(littleEndianBytes bytes: some BidirectionalCollection<UInt8>) {
    self = bytes.reversed().reduce(0) { $0 << 8 | Self($1) }
  }
}

/// XXH3-64 with seed 0.
func checksum(of bytes: [UInt8]) -> UInt64 {
  bytes.withUnsafeBytes { XXH3_64bits($0.baseAddress, $0.count) }
}

/// Why stored bytes cannot be decoded, before anyone knows the file's name.
struct MalformedRecord: Error {
  let reason: String
}

/// A cursor over stored bytes that never leaves them.
struct ByteReader {
  // Sound: every access is checked against `bytes.count`; whoever makes one keeps the memory.
  let bytes: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func number<Value: FixedWidthInteger>(
    _: Value.Type = Value.self
  ) throws(MalformedRecord) -> Value {
    let part = try take(MemoryLayout<Value>.size)
    return Value(littleEndian: part.loadUnaligned(as: Value.self))
  }

  mutating func variableLength() throws(MalformedRecord) -> UInt32 {
    var value: UInt32 = 0
    for shift in stride(from: 0, to: 35, by: 7) {
      let byte = try number(UInt8.self)
      if shift == 28 && byte > 15 { break }
      value |= UInt32(byte & 0x7F) << UInt32(shift)
      if byte < 0x80 { return value }
    }
    throw MalformedRecord(reason: "a length has too many digits")
  }

  mutating func take(_ count: Int) throws(MalformedRecord) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - position else {
      throw MalformedRecord(
        reason: "\(count) bytes wanted where \(bytes.count - position) are left")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }
}
