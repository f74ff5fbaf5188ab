internal import Foundation

/// HTML or SVG text. What is interpolated is escaped, unless it is markup itself.
struct Markup: ExpressibleByStringInterpolation, Sendable {
  let text: String

  init(stringLiteral value: String) { text = value }
  init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }
  init(_ parts: [Markup]) { text = parts.map(\.text).joined() }

  static let none: Markup = ""
  var isEmpty: Bool { text.isEmpty }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ string: String) { text += Markup.escaped(string) }
    mutating func appendInterpolation(_ number: Int) { text += String(number) }
    mutating func appendInterpolation(_ markup: Markup) { text += markup.text }
    mutating func appendInterpolation(_ parts: [Markup]) { for part in parts { text += part.text } }
  }

  private static func escaped(_ string: String) -> String {
    var result = ""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      // Not allowed in HTML, nor helpful.
      case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// Numbers as a page shows them.
enum Figure {
  /// "72.60"; a dash where there is none.
  static func percent(_ value: Double?) -> String {
    value.map { fixed($0, 2) } ?? "–"
  }

  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "–" }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (abs(value) * scale).rounded()
    let whole = Int(rounded / scale)
    let sign = value < 0 && rounded > 0 ? "−" : ""
    guard digits > 0 else { return sign + String(whole) }
    let rest = String(Int(rounded - Double(whole) * scale))
    return sign + "\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
  }

  /// About three significant digits.
  static func short(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    if !size.isFinite { return "–" }
    if size >= 1000 { return size < 1e12 ? grouped(Int(value.rounded())) : "\(value)" }
    if size < 1e-3 {
      let power = Int(log10(size).rounded(.down))
      return "\(trimmed(fixed(value / pow(10, Double(power)), 2)))e\(power)"
    }
    let digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4
    return trimmed(fixed(value, digits))
  }

  /// Without zeros at the end of a fraction.
  static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
