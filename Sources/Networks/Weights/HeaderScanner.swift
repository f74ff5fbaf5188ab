/// Reads the JSON of a weight file's header, and only what such a header may hold.
///
/// JSON libraries differ on duplicate keys, on numbers and on depth, and a file that two readers
/// understand differently is a way to smuggle weights. This scanner has no recursion, takes no
/// number but a non-negative integer, and lets the caller see every key in order.
struct HeaderScanner {
  /// Why the scan stopped, and at which byte of the header.
  struct Failure: Error {
    let offset: Int
    let reason: String
  }

  private let bytes: [UInt8]
  private(set) var offset = 0

  /// `bytes` must be valid UTF-8 (checked by the caller for the header as a whole).
  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  func failure(_ reason: String) -> Failure {
    Failure(offset: offset, reason: reason)
  }

  /// Skips white space; what follows must be `byte`.
  mutating func expect(_ byte: UInt8) throws(Failure) {
    guard take(byte) else {
      throw failure("expected '\(Character(UnicodeScalar(byte)))', found \(foundHere)")
    }
  }

  /// Skips white space and takes `byte` if it comes next.
  mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == byte else { return false }
    offset += 1
    return true
  }

  /// The rest must be white space.
  mutating func expectEnd() throws(Failure) {
    skipSpace()
    guard offset == bytes.count else {
      throw failure("something follows the closing brace: \(foundHere)")
    }
  }

  /// Calls `member` after each key of an object; `member` reads the value.
  mutating func object(
    _ member: (inout HeaderScanner, String) throws(Failure) -> Void
  ) throws(Failure) {
    try expect(UInt8(ascii: "{"))
    if take(UInt8(ascii: "}")) { return }
    repeat {
      let key = try string()
      try expect(UInt8(ascii: ":"))
      try member(&self, key)
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
  }

  /// An array of at most `limit` non-negative integers.
  mutating func integers(limit: Int) throws(Failure) -> [Int] {
    try expect(UInt8(ascii: "["))
    var values: [Int] = []
    if take(UInt8(ascii: "]")) { return values }
    repeat {
      guard values.count < limit else { throw failure("more than \(limit) numbers in one list") }
      values.append(try integer())
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
    return values
  }

  private mutating func integer() throws(Failure) -> Int {
    skipSpace()
    let start = offset
    var value = 0
    while offset < bytes.count, case let digit = bytes[offset],
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
    {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
      guard !overflow, !carry else { throw failure("an integer does not fit into 64 bits") }
      value = sum
      offset += 1
    }
    guard offset > start else {
      throw failure("expected a non-negative integer, found \(foundHere)")
    }
    guard offset == start + 1 || bytes[start] != UInt8(ascii: "0") else {
      throw failure("an integer with a leading zero")
    }
    if offset < bytes.count,
      [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")]
        .contains(bytes[offset])
    {
      throw failure("expected an integer, found a number with a fraction or an exponent")
    }
    return value
  }

  /// A string with its escapes resolved.
  mutating func string() throws(Failure) -> String {
    try expect(UInt8(ascii: "\""))
    var scalars: [UInt8] = []
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: scalars, as: UTF8.self)
      case UInt8(ascii: "\\"): try appendEscape(to: &scalars)
      case 0..<0x20: throw failure("a control character inside a string")
      default: scalars.append(byte)
      }
    }
    throw failure("a string without its closing quote")
  }

  private mutating func appendEscape(to scalars: inout [UInt8]) throws(Failure) {
    guard offset < bytes.count else { throw failure("a string ends in a backslash") }
    let byte = bytes[offset]
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scalars.append(byte)
    case UInt8(ascii: "b"): scalars.append(0x08)
    case UInt8(ascii: "f"): scalars.append(0x0c)
    case UInt8(ascii: "n"): scalars.append(0x0a)
    case UInt8(ascii: "r"): scalars.append(0x0d)
    case UInt8(ascii: "t"): scalars.append(0x09)
    case UInt8(ascii: "u"): scalars.append(contentsOf: try unicodeEscape())
    default: throw failure("an unknown escape in a string")
    }
  }

  private mutating func unicodeEscape() throws(Failure) -> [UInt8] {
    let first = try hexadecimal()
    var code = first
    if (0xd800...0xdbff).contains(first) {
      guard offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
        bytes[offset + 1] == UInt8(ascii: "u")
      else { throw failure("half of a surrogate pair in a string") }
      offset += 2
      let second = try hexadecimal()
      guard (0xdc00...0xdfff).contains(second) else {
        throw failure("half of a surrogate pair in a string")
      }
      code = 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else {
      throw failure("half of a surrogate pair in a string")
    }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw failure("a \\u escape is cut off") }
    var value: UInt32 = 0
    for byte in bytes[offset..<offset + 4] {
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
        throw failure("a \\u escape without four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
    }
    offset += 4
    return value
  }

  private mutating func skipSpace() {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x09, 0x0a, 0x0d: offset += 1
      default: return
      }
    }
  }

  private var foundHere: String {
    guard offset < bytes.count else { return "the end of the header" }
    let byte = bytes[offset]
    return (0x21..<0x7f).contains(byte)
      ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
  }
}
