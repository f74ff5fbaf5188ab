import Foundation

/// A JSON value whose members keep the order in which they were added, for output that people and
/// scripts read. Parsing is Foundation's business.
package indirect enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  /// Printed with the shortest digits that parse back to the same Double; null if not finite.
  case number(Double)
  /// The same for a Float.
  case single(Float)
  case string(String)
  case array([JSONValue])
  case object([(String, JSONValue)])

  /// The number, or null without one.
  package static func optional(_ value: Double?) -> JSONValue {
    value.map(JSONValue.number) ?? .null
  }

  /// One line without spaces.
  package var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): value.isFinite ? "\(value)" : "null"
    case .single(let value): value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.quoted(value)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0) + ":" + $1.text }.joined(separator: ",") + "}"
    }
  }

  /// Several lines: one member a line at the outermost level.
  package var lines: String {
    guard case .object(let members) = self else { return text }
    return "{\n"
      + members.map { "  " + Self.quoted($0) + ": " + $1.text }.joined(separator: ",\n") + "\n}"
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      // The second range must not be escaped, but moves a terminal's cursor.
      case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value):
        result += String(format: "\\u%04x", scalar.value)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
