internal import Crypto
internal import FileIO

/// The member `checksum` of a manifest: SHA-256, in 64 hex digits, of the whole file with these
/// digits written as zeros.
///
/// The fingerprint covers the identity and each unit's SHA-256 its file; this covers what says
/// where the units are, what they hold and how they were made.
enum ManifestChecksum {
  private static let blank = [UInt8](repeating: UInt8(ascii: "0"), count: 64)

  /// The pretty-printed object `json` with the checksum as its first member.
  static func added(to json: [UInt8]) -> [UInt8] {
    let opening = Array("{\n".utf8)
    precondition(json.starts(with: opening), "a manifest is a pretty-printed object")
    let name = opening + Array("  \"checksum\" : \"".utf8)
    let bytes = name + blank + Array("\",\n".utf8) + json.dropFirst(opening.count)
    return name + Array(hexadecimal(SHA256.hash(data: bytes)).utf8)
      + bytes.dropFirst(name.count + blank.count)
  }

  /// Whether `checksum` is the one of the file `bytes` that states it.
  static func isRight(_ checksum: String, for bytes: [UInt8]) -> Bool {
    let digits = Array(checksum.utf8)
    guard digits.count == blank.count, let place = place(of: digits, in: bytes) else {
      return false
    }
    var blanked = bytes
    blanked.replaceSubrange(place..<place + blank.count, with: blank)
    return hexadecimal(SHA256.hash(data: blanked)) == checksum
  }

  private static func place(of digits: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= digits.count else { return nil }
    return (0...bytes.count - digits.count).first { start in
      bytes[start] == digits[0] && bytes[start..<start + digits.count].elementsEqual(digits)
    }
  }
}
