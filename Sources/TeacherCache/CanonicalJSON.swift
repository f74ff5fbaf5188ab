/// A JSON value with one way to write it: sorted names, no spaces, shortest exact numbers.
enum CanonicalJSON {
  case text(String)
  case integer(Int)
  case unsigned(UInt64)
  case numbers([Float])
  case object([String: CanonicalJSON])

  /// The UTF-8 text whose SHA-256 is a fingerprint.
  ///
  /// Names sorted by their bytes; in strings only `"`, `\` and control characters (as `\u00XX`)
  /// are escaped; floats are the shortest decimal that parses back, with a point or exponent.
  var encoded: String {
    switch self {
    case .text(let text): Self.quoted(text)
    case .integer(let value): String(value)
    case .unsigned(let value): String(value)
    case .numbers(let values): "[" + values.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      "{"
        + members.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
        .map { Self.quoted($0.key) + ":" + $0.value.encoded }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\":
        result += "\\"
        result.unicodeScalars.append(scalar)
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default:
        result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
